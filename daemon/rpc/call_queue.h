// Where calls wait for their turn.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"

namespace svnet {

// One thread runs the calls, and takes from each uid in turn: who has a thousand
// waiting holds up the others by one. gRPC's own threads only ever hand over, so that
// a call that takes long stops nobody's connection. Thread-safe.
class CallQueue {
 public:
  CallQueue();
  // Calls that wait are never run.
  ~CallQueue();

  enum class Admission {
    kAccepted,
    kTooMany,  // kMaxWaiting of that uid's wait already
    kClosed,
  };
  // `call` will run, once, on the queue's thread; Answered must follow when its answer
  // is on the wire.
  Admission Submit(uid_t uid, std::function<void()> call) ABSL_LOCKS_EXCLUDED(mutex_);
  void Answered() ABSL_LOCKS_EXCLUDED(mutex_);

  // From within an accepted call: it cannot go on yet, and is to run again after the next
  // Resume, before others of that uid; at once, if the queue is closed.
  void Park(uid_t uid, std::function<void()> call) ABSL_LOCKS_EXCLUDED(mutex_);
  void Resume() ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes no more calls, and returns when those that were accepted are answered, or at
  // `deadline`.
  void CloseAndWait(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  bool IsClosed() ABSL_LOCKS_EXCLUDED(mutex_);

  static constexpr size_t kMaxWaiting = 256;

 private:
  using Call = std::function<void()>;

  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  bool MayWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || !turns_.empty(); }
  bool IsQuiet() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return unanswered_ == 0; }
  void PutFirst(uid_t uid, Call call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Call TakeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::condition_variable_any changed_;
  // Each uid that has calls waiting, once, in the order of turns.
  std::deque<uid_t> turns_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uid_t, std::deque<Call>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<uid_t, Call>> parked_ ABSL_GUARDED_BY(mutex_);
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace svnet
