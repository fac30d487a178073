// Destroys TAPs, which takes the kernel long.
#pragma once

#include "absl/status/status.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/retired_tap.h"

namespace svnet {

// Knows no lease, so that it can be used while calls go on; but only by one thread at a time.
class TapDestroyer {
 public:
  // `reaper` must outlive it.
  explicit TapDestroyer(Reaper* reaper) : reaper_(*reaper) {}

  struct Result {
    absl::Status destroyed;
    absl::Status flows_forgotten;
  };
  // Destroys those TAPs, and ends the flows of their addresses.
  Result Destroy(const ReapPiece& piece);

 private:
  absl::Status DestroyTaps(const ReapPiece& piece);

  Reaper& reaper_;
};

}  // namespace svnet
