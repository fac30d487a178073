// Time that goes on evenly, whoever sets the host's clock.
#pragma once

#include <time.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "absl/time/time.h"

namespace svnet {

using Clock = std::function<absl::Time()>;

// CLOCK_MONOTONIC, counted from the epoch: only good to be compared with itself. It
// stands still while the host sleeps, as the guests do.
inline absl::Time MonotonicNow() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::TimeFromTimespec(now);
}

// The earlier of two times, of which each may be none.
inline std::optional<absl::Time> Earlier(std::optional<absl::Time> a, std::optional<absl::Time> b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() ? a : b;
  return std::min(*a, *b);
}

}  // namespace svnet
