// A caller that calls again and again.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/system/client.h"

namespace svnet::testing {

template <typename Request, typename Response>
using AsyncMethod = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (
    v1::NetworkService::Stub::*)(grpc::ClientContext*, const Request&, grpc::CompletionQueue*);

// So many calls under way all the time on one connection, until its end. By one thread: with a
// hundred that wait each for its own, the client's gRPC (1.51) stands still now and then.
class CallFlood {
 public:
  template <typename Request, typename Response>
  CallFlood(const std::string& socket, const RunAs& who, int calls,
            AsyncMethod<Request, Response> method, const Request& request)
      : client_(socket, who), thread_([=, this] { Work(calls, method, request); }) {}
  ~CallFlood() {
    stopped_ = true;
    thread_.join();
  }
  CallFlood(const CallFlood&) = delete;
  CallFlood& operator=(const CallFlood&) = delete;

  int answered() const { return answered_; }
  // Until there are so many more answers.
  void WaitFor(int answers) const {
    const int enough = answered_ + answers;
    EXPECT_TRUE(Eventually([&] { return answered_ >= enough; }, absl::Seconds(60)));
  }

 private:
  template <typename Response>
  struct Call {
    grpc::ClientContext context;
    Response response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  };

  template <typename Request, typename Response>
  void Work(int calls, AsyncMethod<Request, Response> method, const Request& request) {
    setpriority(PRIO_PROCESS, 0, 10);  // of this thread: what it costs svnetd is meant
    grpc::CompletionQueue queue;
    int under_way = 0;
    const auto begin = [&] {
      auto* call = new Call<Response>;
      call->reader = (client_.stub().*method)(&call->context, request, &queue);
      call->reader->Finish(&call->response, &call->status, call);
      ++under_way;
    };
    for (int i = 0; i < calls; ++i) begin();
    void* tag = nullptr;
    bool ok = false;
    while (under_way > 0 && queue.Next(&tag, &ok)) {
      --under_way;
      const std::unique_ptr<Call<Response>> call(static_cast<Call<Response>*>(tag));
      answered_ += call->status.ok() ? 1 : 0;
      if (!stopped_ && call->status.ok()) begin();
    }
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
  }

  Client client_;
  std::atomic<int> answered_ = 0;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

}  // namespace svnet::testing
