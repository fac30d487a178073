#include "daemon/gate/unary_call.h"

#include <utility>

#include "daemon/gate/status.h"

namespace svnet {

grpc::Status UnaryCall::Begin(CoreCalls::Request request) {
  // Before it begins: its answer may be there before that returns.
  self_ = shared_from_this();
  const grpc::Status status = core_->Begin(std::move(request), self_);
  if (!status.ok()) self_ = nullptr;
  return status;
}

void UnaryCall::OnEnd(const WireStatus& status, std::string body) {
  if (status.ok()) {
    const grpc::Slice slice(body);
    *response_ = grpc::ByteBuffer(&slice, 1);
  }
  Finish(ToGrpc(status));
}

void UnaryCall::OnCancel() {
  // If not, OnEnd has finished it, or is about to.
  if (core_->Cancel(this)) Finish(grpc::Status::CANCELLED);
}

void UnaryCall::OnDone() {
  // The last that uses it, unless OnEnd is still on its way out.
  const std::shared_ptr<UnaryCall> self = std::move(self_);
  core_->Done();
}

}  // namespace svnet
