#include "daemon/gate/event_stream.h"

#include <utility>

#include "daemon/gate/status.h"

namespace svnet {

grpc::Status EventStream::Begin(CoreCalls::Request request) {
  // Before it begins: what svnetd says may be there before that returns.
  self_ = shared_from_this();
  const grpc::Status status = core_->Begin(std::move(request), self_);
  if (!status.ok()) self_ = nullptr;
  return status;
}

void EventStream::OnBegun() {
  MutexLock lock(&mutex_);
  if (finished_) return;
  // So that the reader knows that from now on nothing is missed.
  StartSendInitialMetadata();
  core_->Pull(this);
}

void EventStream::OnEvent(std::string body) {
  MutexLock lock(&mutex_);
  if (finished_) return;
  const grpc::Slice slice(body);
  message_ = grpc::ByteBuffer(&slice, 1);
  writing_ = true;
  StartWrite(&message_);
}

void EventStream::OnWriteDone(bool ok) {
  MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok) {
    core_->Cancel(this);
    FinishOnce(grpc::Status::CANCELLED);
  } else if (end_.has_value()) {
    FinishOnce(*end_);
  } else {
    core_->Pull(this);
  }
}

void EventStream::OnEnd(const WireStatus& status, std::string /*body*/) {
  MutexLock lock(&mutex_);
  end_ = ToGrpc(status);
  if (!writing_) FinishOnce(*end_);
}

void EventStream::OnCancel() {
  core_->Cancel(this);
  MutexLock lock(&mutex_);
  FinishOnce(grpc::Status::CANCELLED);
}

void EventStream::FinishOnce(const grpc::Status& status) {
  if (std::exchange(finished_, true)) return;
  Finish(status);
}

void EventStream::OnDone() {
  // The last that uses it, unless who finished it is still on its way out.
  const std::shared_ptr<EventStream> self = std::move(self_);
  mutex_.lock();
  mutex_.unlock();
  core_->Done();
}

}  // namespace svnet
