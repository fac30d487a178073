// What a gate says to svnetd.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "daemon/base/mutex.h"
#include "daemon/wire/channel.h"
#include "daemon/wire/message.h"

#include <condition_variable>
#include <deque>

namespace svnet {

// Sends in order, and never waits: svnetd reads nothing from a gate that does not take its
// answers, so that the thread that takes them must not wait for svnetd to read. What does not
// fit is sent by a thread of its own, which starts when that first happens. How much that
// can be is limited by who says it: at most three messages for each call. Thread-safe.
class Outbox {
 public:
  // `core` must outlive it, and it outlives the process: its thread does not end.
  explicit Outbox(const Channel* core) : core_(core) {}

  // Ends the process if svnetd has gone.
  void Send(const Message& message);

 private:
  void SendWaiting();

  const Channel* const core_;
  Mutex mutex_;
  std::condition_variable_any changed_;
  // The first of them may be under way.
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;  // the thread
};

}  // namespace svnet
