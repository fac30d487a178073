// Destroys retired TAPs while calls go on.
#pragma once

#include <optional>

#include "absl/base/thread_annotations.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/network_registry.h"
#include "daemon/network/retired_tap.h"
#include "daemon/network/tap_destroyer.h"

namespace svnet {

// For one thread only.
class ReapWorker {
 public:
  // Both must outlive it.
  ReapWorker(NetworkRegistry* registry, Reaper* reaper);

  // Waits until retired TAPs are due, and destroys them. False: waiting was stopped.
  bool ReapNext() ABSL_LOCKS_EXCLUDED(registry_->mutex_);
  // Destroys all that are retired now, without waiting.
  void ReapAll() ABSL_LOCKS_EXCLUDED(registry_->mutex_);

 private:
  bool WaitUntilDue() ABSL_LOCKS_EXCLUDED(registry_->mutex_);
  // nullopt: there are none, or others are destroyed now.
  std::optional<ReapBatch> Take() ABSL_LOCKS_EXCLUDED(registry_->mutex_);
  void Destroy(const ReapBatch& batch) ABSL_LOCKS_EXCLUDED(registry_->mutex_);

  NetworkRegistry* const registry_;
  TapDestroyer destroyer_;
};

}  // namespace svnet
