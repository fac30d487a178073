// Time that goes on evenly, whoever sets the host's clock.
#pragma once

#include <time.h>

#include <functional>

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

}  // namespace svnet
