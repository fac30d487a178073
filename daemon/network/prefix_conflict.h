// Whether the host has addresses or routes in common with the network's prefix.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daemon/base/condition.h"
#include "daemon/kernel/kernel.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

// Reads all routes of the host, but only after something changed that may overlap the prefix. Not
// thread-safe.
class PrefixConflict {
 public:
  // `kernel` must outlive it.
  PrefixConflict(const NetworkSettings& settings, Kernel* kernel)
      : settings_(settings), kernel_(kernel) {}

  // What the kernel has said of changes.
  void Note(const KernelChanges& changes);
  // Looks again, if there may be another. `links`: all of the host.
  absl::Status Look(const std::vector<Link>& links);
  // Appends what the last Look has found.
  void AddConditions(std::vector<Condition>* conditions) const;

 private:
  const NetworkSettings settings_;
  Kernel* const kernel_;
  bool dirty_ = true;
  std::optional<std::string> conflict_;
};

}  // namespace svnet
