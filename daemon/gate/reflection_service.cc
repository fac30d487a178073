#include "daemon/gate/reflection_service.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/mutex.h"
#include "daemon/gate/reflection_answers.h"
#include "daemon/gate/status.h"

namespace svnet {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

constexpr int kMaxStreams = 16;

// Reads one request, answers it, and only then reads the next: so an answer that nobody
// reads is the only one that waits. Deletes itself.
class ReflectionStream final : public ReflectionStreams::Reactor {
 public:
  // `open` is one less when it goes.
  explicit ReflectionStream(std::atomic<int>* open) : open_(open) {
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
      return FinishOnce(
          ToGrpc(Error(Reason::kInvalidRequest, "the request is not a ServerReflectionRequest")));
    }
    bool own_buffer = false;
    grpc::SerializationTraits<ServerReflectionResponse>::Serialize(AnswerReflection(request),
                                                                   &message_, &own_buffer);
    StartWrite(&message_);
  }

  void FinishOnce(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (std::exchange(finished_, true)) return;
    Finish(status);
  }

  std::atomic<int>* const open_;
  Mutex mutex_;
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);  // that is being read, or written
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

// A stream that ends as it begins.
class RefusedReflection final : public ReflectionStreams::Reactor {
 public:
  explicit RefusedReflection(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

ReflectionStreams::Reactor* ReflectionStreams::Begin(const std::string& peer) {
  if (const grpc::Status verdict = verdict_(peer); !verdict.ok()) {
    return new RefusedReflection(verdict);
  }
  if (++open_ > kMaxStreams) {
    --open_;
    return new RefusedReflection(
        ToGrpc(Error(Reason::kQuotaExceeded,
                     absl::StrCat("this user has ", kMaxStreams,
                                  " reflection streams open, and may have no more: close some"))));
  }
  return new ReflectionStream(&open_);
}

}  // namespace svnet
