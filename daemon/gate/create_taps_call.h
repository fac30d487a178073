// Many CreateTap calls in one.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "daemon/base/mutex.h"
#include "daemon/gate/core_calls.h"
#include "svnet/v1/network.pb.h"

namespace svnet {

// The limits of a CreateTapsRequest.
inline constexpr size_t kMaxBatchSize = 4 << 20;  // bytes
inline constexpr size_t kMaxBatchItems = 1000;

// The requests of a CreateTapsRequest, each as it came: what they say is svnetd's to find out.
// INVALID_REQUEST if these are no such bytes, or if there are too few or too many requests, or one
// that is too large.
absl::StatusOr<std::vector<std::string>> SplitCreateTaps(const grpc::ByteBuffer& bytes);

// Has svnetd run one after the other, so that it is never more than one call there, and others'
// turns come between. Owns itself from Begin until gRPC is done with it.
class CreateTapsCall final : public grpc::ServerUnaryReactor,
                             public CallListener,
                             public std::enable_shared_from_this<CreateTapsCall> {
 public:
  // `core` must outlive it. `connection`: svnetd's number. `response`: gRPC's, until it is
  // finished.
  CreateTapsCall(CoreCalls* core, uint64_t connection, std::vector<std::string> requests,
                 grpc::ByteBuffer* response)
      : core_(core), connection_(connection), requests_(std::move(requests)), response_(response) {}

  // Once. An error: it has not begun, and is not its own.
  grpc::Status Begin();

  void OnEnd(const WireStatus& status, std::string body) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // The request whose turn it is.
  CoreCalls::Request Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Note(const WireStatus& status, const std::string& body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: there is no other request, or nobody waits for it.
  bool GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishWithResults();

  CoreCalls* const core_;
  const uint64_t connection_;
  std::shared_ptr<CreateTapsCall> self_;
  Mutex mutex_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  v1::CreateTapsResponse results_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ByteBuffer* const response_;
};

}  // namespace svnet
