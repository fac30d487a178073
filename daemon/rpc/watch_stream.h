// A call whose answer is a stream.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "daemon/base/mutex.h"
#include "daemon/rpc/message_source.h"
#include "daemon/rpc/stream_pump.h"

namespace svnet {

// Writes one message after the other, each when the one before is on its way: a reader who
// does not read makes them wait in their source, which has a limit. Deletes itself.
class WatchStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  // `pump` must outlive it; `unanswered` counts it as long as it is there.
  WatchStream(StreamPump* pump, std::atomic<int>* unanswered);
  ~WatchStream() override { --*unanswered_; }

  // What wakes it; may be called after it is gone.
  std::function<void()> Waker();
  // Once.
  void Begin(const absl::StatusOr<std::shared_ptr<MessageSource>>& source);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // Outlives the stream as long as somebody may wake it.
  struct Handle {
    Mutex mutex;
    WatchStream* stream ABSL_GUARDED_BY(mutex);
  };

  // Writes the next message, or the end, if nothing is being written.
  void MoveOn() ABSL_LOCKS_EXCLUDED(mutex_);
  void FinishOnce(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  StreamPump* const pump_;
  std::atomic<int>* const unanswered_;
  const std::shared_ptr<Handle> handle_;

  Mutex mutex_;
  std::shared_ptr<MessageSource> source_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);  // that is being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace svnet
