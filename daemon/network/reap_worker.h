// Destroys retired TAPs while calls go on.
#pragma once

#include <optional>

#include "absl/base/thread_annotations.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/network_registry.h"
#include "daemon/network/retired_tap.h"
#include "daemon/network/tap_destroyer.h"

namespace svnet {

// For one thread; several can work at the same time, each with a Reaper of its own. More than two
// gain nothing: one waits for what the kernel does outside of its lock for links, while the other
// one's piece is destroyed under it.
class ReapWorker {
 public:
  // Both must outlive it.
  ReapWorker(NetworkRegistry* registry, Reaper* reaper) : registry_(registry), destroyer_(reaper) {}

  // Waits until retired TAPs are due, and destroys a piece of them. False: waiting was stopped.
  bool ReapNext() ABSL_LOCKS_EXCLUDED(registry_->mutex_);
  // What tests have instead of threads: destroys all that are retired, without delay, and waits for
  // what others are destroying; only until something fails, which it returns.
  TapDestroyer::Result ReapAll() ABSL_LOCKS_EXCLUDED(registry_->mutex_);

 private:
  // nullopt: waiting was stopped.
  std::optional<ReapPiece> WaitForPiece() ABSL_LOCKS_EXCLUDED(registry_->mutex_);
  // A piece that is due, by what has been heard until now.
  std::optional<ReapPiece> TakeDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(registry_->mutex_);
  // nullopt: there is none, and nobody destroys one.
  std::optional<ReapPiece> Take() ABSL_LOCKS_EXCLUDED(registry_->mutex_);
  // True if all is done, and not to be tried again.
  bool Destroy(const ReapPiece& piece, TapDestroyer::Result* result)
      ABSL_LOCKS_EXCLUDED(registry_->mutex_);

  NetworkRegistry* const registry_;
  TapDestroyer destroyer_;
};

}  // namespace svnet
