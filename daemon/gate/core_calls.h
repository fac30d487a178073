// The calls that a gate has svnetd run.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <grpcpp/support/status.h>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "daemon/base/mutex.h"
#include "daemon/gate/outbox.h"
#include "daemon/wire/message.h"

namespace svnet {

// Waits for svnetd's answers to a call. The thread that reads them calls it, with no lock held.
class CallListener {
 public:
  virtual ~CallListener() = default;

  // Of a watch: nothing is missed from now on.
  virtual void OnBegun() {}
  // Of a watch, that was pulled.
  virtual void OnEvent(std::string /*body*/) {}
  // The last that it hears. `body`: the response, if there is one.
  virtual void OnEnd(const WireStatus& status, std::string body) = 0;

 private:
  friend class CoreCalls;
  uint64_t id_ = 0;  // svnetd knows it by that; 0: it waits in the gate. CoreCalls guards it
};

// Of unary calls at most kMaxCallsInCore are in svnetd, and the others wait here, where who
// cancels takes them out before they begin. Thread-safe.
class CoreCalls {
 public:
  // Today's limit of a user's calls that wait, whatever waits where.
  static constexpr size_t kMaxWaiting = 256;

  struct Request {
    Method method;
    uint64_t connection;  // svnetd's number
    std::string body;     // at most kMaxRequestSize
  };

  // `outbox` must outlive it.
  explicit CoreCalls(Outbox* outbox) : outbox_(outbox) {}

  // Asks svnetd, or has it wait. What comes of it comes to `listener`: it wants one Done, and
  // until then is unanswered. An error is the answer instead: nothing comes, nor is wanted.
  grpc::Status Begin(Request request, std::shared_ptr<CallListener> listener);
  // The next request of a listener that has begun, and heard the end of the one before: it is the
  // next of those that wait here. An error: it does not begin; the listener goes on without.
  grpc::Status GoOn(Request request, std::shared_ptr<CallListener> listener);
  // Nobody waits for it any more. True: then it hears nothing of its end.
  bool Cancel(CallListener* listener);
  // One more event, please. Nothing if the watch has ended.
  void Pull(CallListener* listener);
  // gRPC has let go of one that began.
  void Done();

  // From now on nothing begins: `status` is why. When nothing is unanswered any more, svnetd
  // hears so.
  void Drain(WireStatus status);
  // OK, or why nothing begins.
  grpc::Status MayBegin() const;

  // What svnetd says. INVALID_ARGUMENT if svnetd must not say it.
  absl::Status Receive(Message message);

 private:
  struct Waiting {
    Request request;
    std::shared_ptr<CallListener> listener;
  };
  // What svnetd has yet to answer.
  struct Call {
    bool is_watch;
    bool pulled = false;
    std::shared_ptr<CallListener> listener;  // nullptr: it was cancelled
    std::string body;                        // the parts that have come
  };

  void Wait(std::deque<Waiting>::iterator place, Request request,
            std::shared_ptr<CallListener> listener) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ask(Request request, std::shared_ptr<CallListener> listener)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The one whose turn it is, if there is room.
  void AskNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SayIfDrained() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Outbox* const outbox_;
  mutable Mutex mutex_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Call> calls_ ABSL_GUARDED_BY(mutex_);  // by id
  int unary_ ABSL_GUARDED_BY(mutex_) = 0;                   // of calls_
  int watches_ ABSL_GUARDED_BY(mutex_) = 0;                 // of calls_
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<WireStatus> draining_ ABSL_GUARDED_BY(mutex_);
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;  // svnetd has heard so
};

}  // namespace svnet
