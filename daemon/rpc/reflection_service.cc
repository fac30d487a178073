#include "daemon/rpc/reflection_service.h"

#include "daemon/base/error.h"
#include "daemon/base/mutex.h"
#include "daemon/rpc/error_details.h"
#include "daemon/rpc/message_source.h"
#include "daemon/rpc/reflection_answers.h"

namespace svnet {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;

// Reads one request, answers it, and only then reads the next: so an answer that nobody
// reads is the only one that waits. Deletes itself.
class ReflectionStream final : public ReflectionStreams::Reactor {
 public:
  ReflectionStream(Quota::Place place, std::atomic<int>* open)
      : place_(std::move(place)), open_(open) {
    MutexLock lock(&mutex_);
    StartRead(&message_);
  }
  ~ReflectionStream() override { --*open_; }

  void OnReadDone(bool ok) override {
    MutexLock lock(&mutex_);
    if (!ok) FinishOnce(grpc::Status::OK);
    if (!finished_) Answer();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    if (!ok) FinishOnce(grpc::Status::CANCELLED);
    if (finished_) return;
    message_.Clear();
    StartRead(&message_);
  }

  void OnCancel() override {
    MutexLock lock(&mutex_);
    FinishOnce(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    {
      // Whoever finished it has let go of it.
      MutexLock lock(&mutex_);
    }
    delete this;
  }

 private:
  void Answer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ServerReflectionRequest request;
    if (!grpc::SerializationTraits<ServerReflectionRequest>::Deserialize(&message_, &request)
             .ok()) {
      return FinishOnce(ToGrpcStatus(
          Error(Reason::kInvalidRequest, "the request is no ServerReflectionRequest")));
    }
    message_ = ToBytes(AnswerReflection(request));
    StartWrite(&message_);
  }

  void FinishOnce(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (std::exchange(finished_, true)) return;
    Finish(status);
  }

  const Quota::Place place_;
  std::atomic<int>* const open_;
  Mutex mutex_;
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);  // that is being read, or written
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

// A stream that ends as it begins.
class RefusedReflection final : public ReflectionStreams::Reactor {
 public:
  explicit RefusedReflection(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

ReflectionStreams::Reactor* ReflectionStreams::Begin() {
  if (!verdict_.ok()) return new RefusedReflection(verdict_);
  absl::StatusOr<Quota::Place> place = quota_->Enter(caller_.uid, caller_.administrator);
  if (!place.ok()) return new RefusedReflection(place.status());
  ++open_;
  return new ReflectionStream(*std::move(place), &open_);
}

}  // namespace svnet
