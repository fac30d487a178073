#include "daemon/rpc/network_service.h"

#include <google/protobuf/empty.pb.h>

#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/error_details.h"
#include "daemon/rpc/tap_events.h"
#include "daemon/rpc/watch_stream.h"

namespace svnet {
namespace {

// Bytes; the largest that makes sense has about 500.
constexpr size_t kMaxRequestSize = 12 << 10;

// How often a call waits for what is dying to be gone, before it is refused after all.
constexpr int kMaxTimesParked = 16;

template <typename Message>
bool ParseBytes(const grpc::ByteBuffer& bytes, Message* message) {
  grpc::ByteBuffer copy = bytes;  // a reference; parsing uses it up
  return grpc::SerializationTraits<Message>::Deserialize(&copy, message).ok();
}

// Bytes that are a message, but not this one, can only hold text that is not UTF-8.
absl::Status ExplainUnparsable(const grpc::ByteBuffer& bytes) {
  google::protobuf::Empty any_message;
  if (ParseBytes(bytes, &any_message)) {
    return Error(Reason::kInvalidId, "the request holds text that is not UTF-8");
  }
  return Error(Reason::kInvalidRequest, "the request is not a protobuf message");
}

// It may call again, by a new connection.
absl::Status AdmissionChanged() {
  return absl::UnavailableError("what this caller may has changed: connect again");
}

absl::Status ShuttingDown() { return absl::UnavailableError("svnetd is shutting down"); }

// A call that the queue has accepted, or is about to.
class AcceptedCall final : public grpc::ServerUnaryReactor {
 public:
  AcceptedCall(CallQueue* queue, std::atomic<int>* unanswered)
      : queue_(queue), unanswered_(unanswered) {
    ++*unanswered_;
  }
  ~AcceptedCall() override { --*unanswered_; }
  void OnDone() override {
    queue_->Answered();
    delete this;
  }

 private:
  CallQueue* const queue_;
  std::atomic<int>* const unanswered_;
};

// A stream that ends as it begins.
class RefusedStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

absl::Status NetworkService::Check(const grpc::ByteBuffer& request) const {
  if (revoked_) return AdmissionChanged();
  if (!verdict_.ok() || request.Length() <= kMaxRequestSize) return verdict_;
  return Error(Reason::kQuotaExceeded, absl::StrCat("the request has ", request.Length(),
                                                    " bytes, and may have ", kMaxRequestSize));
}

template <typename Request, typename Response>
std::optional<absl::Status> NetworkService::Run(Method<Request, Response> method,
                                                absl::string_view name,
                                                const grpc::ByteBuffer& bytes, bool must_end,
                                                grpc::ByteBuffer* answer) {
  Request request;
  LogLine line;
  const absl::StatusOr<Response> response =
      ParseBytes(bytes, &request) ? (calls_.*method)(request, &line) : ExplainUnparsable(bytes);
  if (!must_end && IsPassing(response.status())) return std::nullopt;
  log_.Write(name, line, response.status());
  if (!response.ok()) return response.status();
  bool own_buffer = false;
  // Fails only without memory, and then gRPC's own allocations have ended svnetd before.
  grpc::SerializationTraits<Response>::Serialize(*response, answer, &own_buffer);
  return absl::OkStatus();
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* NetworkService::Answer(grpc::CallbackServerContext* context,
                                                 Method<Request, Response> method,
                                                 absl::string_view name,
                                                 const grpc::ByteBuffer* request,
                                                 grpc::ByteBuffer* response) {
  const absl::Time since = MonotonicNow();
  const auto finish = [=, this](grpc::ServerUnaryReactor* reactor, const absl::Status& status) {
    metrics_->Answered(name, status, MonotonicNow() - since);
    reactor->Finish(ToGrpcStatus(status));
    return reactor;
  };
  const auto refuse = [&](const absl::Status& status) {
    log_.Write(name, {}, status);
    return finish(context->DefaultReactor(), status);
  };
  if (const absl::Status status = Check(*request); !status.ok()) return refuse(status);
  auto* reactor = new AcceptedCall(queue_, &unanswered_);
  const auto run = [=, this](const auto& self, int times_parked) -> void {
    // Nobody waits for it any more: then it is not begun.
    if (context->IsCancelled() || revoked_) {
      finish(reactor, revoked_ ? AdmissionChanged() : absl::CancelledError());
      return;
    }
    const std::optional<absl::Status> status =
        Run(method, name, *request, times_parked == kMaxTimesParked, response);
    if (status.has_value()) {
      finish(reactor, *status);
      return;
    }
    queue_->Park(calls_.caller().uid, [=] { self(self, times_parked + 1); });
  };
  switch (queue_->Submit(calls_.caller().uid, [=] { run(run, 0); })) {
    case CallQueue::Admission::kAccepted:
      return reactor;
    case CallQueue::Admission::kClosed:
      delete reactor;
      return finish(context->DefaultReactor(), ShuttingDown());
    case CallQueue::Admission::kTooMany:
      break;
  }
  delete reactor;
  return refuse(Error(Reason::kQuotaExceeded,
                      absl::StrCat("uid ", calls_.caller().uid, " has ", CallQueue::kMaxWaiting,
                                   " calls waiting: wait for some of them to be answered")));
}

grpc::ServerUnaryReactor* NetworkService::CreateTap(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  return Answer(context, &NetworkCalls::CreateTap, "CreateTap", request, response);
}

grpc::ServerUnaryReactor* NetworkService::RemoveTap(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  return Answer(context, &NetworkCalls::RemoveTap, "RemoveTap", request, response);
}

grpc::ServerUnaryReactor* NetworkService::GetBootArgs(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request,
                                                      grpc::ByteBuffer* response) {
  return Answer(context, &NetworkCalls::GetBootArgs, "GetBootArgs", request, response);
}

grpc::ServerUnaryReactor* NetworkService::Cleanup(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  return Answer(context, &NetworkCalls::Cleanup, "Cleanup", request, response);
}

grpc::ServerUnaryReactor* NetworkService::ListTaps(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return Answer(context, &NetworkCalls::ListTaps, "ListTaps", request, response);
}

grpc::ServerUnaryReactor* NetworkService::GetNetwork(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  return Answer(context, &NetworkCalls::GetNetwork, "GetNetwork", request, response);
}

grpc::ServerUnaryReactor* NetworkService::GetMetrics(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  return Answer(context, &NetworkCalls::GetMetrics, "GetMetrics", request, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* NetworkService::WatchTaps(
    grpc::CallbackServerContext* /*context*/, const grpc::ByteBuffer* request) {
  v1::WatchTapsRequest parsed;
  absl::Status status = Check(*request);
  if (status.ok() && !ParseBytes(*request, &parsed)) status = ExplainUnparsable(*request);
  if (status.ok()) status = queue_->IsClosed() ? ShuttingDown() : absl::OkStatus();
  if (!status.ok()) {
    log_.Write("WatchTaps", {}, status);
    metrics_->Begun("WatchTaps", status);
    return new RefusedStream(status);
  }
  auto* stream = new WatchStream(pump_, &unanswered_);
  const absl::StatusOr<std::shared_ptr<Watch>> watch = calls_.WatchTaps(stream->Waker());
  log_.Write("WatchTaps", {}, watch.status());
  metrics_->Begun("WatchTaps", watch.status());
  if (watch.ok()) {
    stream->Begin(std::make_shared<TapEvents>(*watch, calls_.prefix()));
  } else {
    stream->Begin(watch.status());
  }
  return stream;
}

}  // namespace svnet
