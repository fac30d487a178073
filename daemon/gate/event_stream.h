// A call whose answer is a stream.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "daemon/base/mutex.h"
#include "daemon/gate/core_calls.h"

namespace svnet {

// Pulls the next event when the one before is on its way: a reader who does not read has one
// here, and the others wait in svnetd, which has a limit. Owns itself from Begin until gRPC
// is done with it.
class EventStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                          public CallListener,
                          public std::enable_shared_from_this<EventStream> {
 public:
  // `core` must outlive it.
  explicit EventStream(CoreCalls* core) : core_(core) {}

  // Once. An error: it has not begun, and is not its own.
  grpc::Status Begin(CoreCalls::Request request);

  void OnBegun() override;
  void OnEvent(std::string body) override;
  void OnEnd(const WireStatus& status, std::string body) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void FinishOnce(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CoreCalls* const core_;
  std::shared_ptr<EventStream> self_;

  Mutex mutex_;                                       // before CoreCalls'
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);  // that is being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);  // of it, when that is written
};

}  // namespace svnet
