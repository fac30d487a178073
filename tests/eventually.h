// Waiting in tests for what happens by itself.
#pragma once

#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace svnet::testing {

// Whether `predicate` becomes true before the deadline. It is called again and again, and at
// least once. Wait for an event instead where there is one: a reply, an exit, a message.
template <typename Predicate>
[[nodiscard]] bool Eventually(Predicate&& predicate, absl::Duration deadline = absl::Seconds(20)) {
  const absl::Time end = absl::Now() + deadline;
  while (!predicate()) {
    if (absl::Now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace svnet::testing
