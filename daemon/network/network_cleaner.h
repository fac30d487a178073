// Removes all TAPs of an owner, or of the network, and the network.
#pragma once

#include <sys/types.h>

#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/ifindex.h"
#include "daemon/network/requests.h"

namespace svnet {

class HostRelations;
class Infrastructure;
class LeaseBook;
class Reconciler;
class Segment;
class TapAdopter;
class TapReaper;

// Not thread-safe. Errors have a reason of the contract, and the call may be repeated.
class NetworkCleaner {
 public:
  // All must outlive it.
  struct Parts {
    Segment* segment;
    Infrastructure* infrastructure;
    LeaseBook* book;
    TapReaper* reaper;
    TapAdopter* adopter;
    Reconciler* reconciler;
    HostRelations* host;
  };
  explicit NetworkCleaner(const Parts& parts) : parts_(parts) {}

  absl::StatusOr<CleanupResult> CleanupOf(uid_t owner);
  // The same for all TAPs of the network; how many there were.
  absl::StatusOr<uint32_t> RetireAll();
  // Takes the network away, when no TAP exists any more.
  absl::StatusOr<CleanupResult> TakeAway(uint32_t taps_removed);

 private:
  // The TAPs of that owner: leases, and those of ours that are not adopted.
  absl::StatusOr<std::vector<Ifindex>> TapsOf(uid_t owner);
  absl::StatusOr<uint32_t> Retire(const std::vector<Ifindex>& taps);

  const Parts parts_;
};

}  // namespace svnet
