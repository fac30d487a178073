#include "daemon/rpc/health_service.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/error.h"
#include "daemon/rpc/error_details.h"
#include "daemon/rpc/watch_stream.h"

namespace svnet {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

grpc::Status NoSuchComponent() {
  return {grpc::StatusCode::NOT_FOUND,
          absl::StrCat("there is no such component: there are \"",
                       absl::StrJoin(HealthBoard::kComponents, "\", \""), "\"")};
}

}  // namespace

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context,
                                               const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const std::optional<bool> serving = board_->IsServing(request->service());
  if (!verdict_.ok()) {
    reactor->Finish(ToGrpcStatus(verdict_));
  } else if (!serving.has_value()) {
    reactor->Finish(NoSuchComponent());
  } else {
    response->set_status(*serving ? HealthCheckResponse::SERVING
                                  : HealthCheckResponse::NOT_SERVING);
    reactor->Finish(grpc::Status::OK);
  }
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* HealthService::Watch(
    grpc::CallbackServerContext* /*context*/, const grpc::ByteBuffer* request) {
  auto* stream = new WatchStream(pump_, &unanswered_);
  grpc::ByteBuffer bytes = *request;  // a reference; parsing uses it up
  HealthCheckRequest parsed;
  if (!verdict_.ok()) {
    stream->Begin(verdict_);
  } else if (!grpc::SerializationTraits<HealthCheckRequest>::Deserialize(&bytes, &parsed).ok()) {
    stream->Begin(Error(Reason::kInvalidRequest, "the request is no HealthCheckRequest"));
  } else {
    stream->Begin(board_->Watch(caller_, parsed.service(), stream->Waker()));
  }
  return stream;
}

}  // namespace svnet
