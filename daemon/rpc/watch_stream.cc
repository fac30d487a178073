#include "daemon/rpc/watch_stream.h"

#include <optional>

#include "daemon/rpc/error_details.h"

namespace svnet {

WatchStream::WatchStream(StreamPump* pump, std::atomic<int>* unanswered)
    : pump_(pump), unanswered_(unanswered), handle_(std::make_shared<Handle>()) {
  ++*unanswered_;
  pump_->Enter();
  MutexLock lock(&handle_->mutex);
  handle_->stream = this;
}

std::function<void()> WatchStream::Waker() {
  return [pump = pump_, handle = handle_] {
    pump->Ask([handle] {
      MutexLock lock(&handle->mutex);
      if (handle->stream != nullptr) handle->stream->MoveOn();
    });
  };
}

void WatchStream::Begin(const absl::StatusOr<std::shared_ptr<MessageSource>>& source) {
  {
    MutexLock lock(&mutex_);
    if (!source.ok()) return FinishOnce(ToGrpcStatus(source.status()));
    if (finished_) return (*source)->Close();  // cancelled already
    source_ = *source;
    // So that the reader knows that from now on nothing is missed.
    StartSendInitialMetadata();
  }
  MoveOn();
}

void WatchStream::MoveOn() {
  MutexLock lock(&mutex_);
  if (writing_ || finished_ || source_ == nullptr) return;
  std::optional<absl::StatusOr<grpc::ByteBuffer>> next = source_->Take();
  if (!next.has_value()) return;
  if (!next->ok()) return FinishOnce(ToGrpcStatus(next->status()));
  message_ = **std::move(next);
  writing_ = true;
  StartWrite(&message_);
}

void WatchStream::OnWriteDone(bool ok) {
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) return FinishOnce(grpc::Status::CANCELLED);
  }
  MoveOn();
}

void WatchStream::OnCancel() {
  MutexLock lock(&mutex_);
  FinishOnce(grpc::Status::CANCELLED);
}

void WatchStream::FinishOnce(const grpc::Status& status) {
  if (source_ != nullptr) source_->Close();
  if (std::exchange(finished_, true)) return;
  Finish(status);
}

void WatchStream::OnDone() {
  {
    // Whoever finished it has let go of it.
    MutexLock lock(&mutex_);
  }
  {
    // Nobody is in MoveOn after this.
    MutexLock lock(&handle_->mutex);
    handle_->stream = nullptr;
  }
  StreamPump* const pump = pump_;
  delete this;
  pump->Leave();
}

}  // namespace svnet
