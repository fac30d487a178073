// The thread that moves streams on.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"

namespace svnet {

// Whoever has news for a stream only says so, and goes on: it may hold locks that to write
// to the stream would take. Thread-safe.
class StreamPump {
 public:
  StreamPump();
  // What is asked for and not yet done is left out.
  ~StreamPump();

  // `move_on` runs, once, on the pump's thread, in the order of the calls.
  void Ask(std::function<void()> move_on) ABSL_LOCKS_EXCLUDED(mutex_);

  // A stream begins, and ends.
  void Enter() ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);
  // Until all streams have ended, or `deadline`.
  void WaitForStreams(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::function<void()>> asked_ ABSL_GUARDED_BY(mutex_);
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace svnet
