// One connection to svnetd.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "client/failure.h"
#include "client/rpc_failure.h"
#include "daemon/base/unique_fd.h"
#include "svnet/v1/network.grpc.pb.h"

namespace svnet::client {

// Not thread-safe. Never reconnects.
class Connection {
 public:
  using Stub = v1::NetworkService::Stub;

  // Calls connect(2) itself, so that a failure has an errno, and leaves the rest to gRPC. The time
  // it takes counts against `timeout`. `socket` must fit sun_path.
  static Result<Connection> Open(const std::string& socket, absl::Duration timeout);

  // Uses a socket that is already connected. `socket` is for messages.
  Connection(UniqueFd fd, const std::string& socket, absl::Duration timeout);

  // Calls `method`. `timeout` is for all calls together.
  template <typename Request, typename Response>
  Result<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    Response response;
    const grpc::Status status = (*stub_.*method)(&context, request, &response);
    if (!status.ok()) return Explain(status);
    return response;
  }

  // What an error of svnetd's means here.
  Failure Explain(const grpc::Status& error) const { return ExplainRpcFailure(error, about_); }

  // Calls `visit` for each event, for as long as there are any and it returns true. The timeout
  // does not count, only `deadline`. nullopt if `visit` or the server ended it, without an error.
  std::optional<Failure> Watch(const v1::WatchTapsRequest& request,
                               absl::FunctionRef<bool(const v1::TapEvent&)> visit,
                               absl::Time deadline = absl::InfiniteFuture());

 private:
  Connection(UniqueFd fd, const CallContext& about, std::chrono::system_clock::time_point deadline);

  CallContext about_;
  std::chrono::system_clock::time_point deadline_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace svnet::client
