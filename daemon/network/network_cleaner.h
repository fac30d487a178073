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
class Kernel;
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
    Kernel* kernel;
    Segment* segment;
    Infrastructure* infrastructure;
    LeaseBook* book;
    TapReaper* reaper;
    TapAdopter* adopter;
    Reconciler* reconciler;
    HostRelations* host;
  };
  explicit NetworkCleaner(const Parts& parts) : parts_(parts) {}

  // The TAPs of that owner, or all: leases, and those of ours that are not adopted.
  absl::StatusOr<std::vector<Ifindex>> TapsOf(uid_t owner);
  absl::StatusOr<std::vector<Ifindex>> AllTaps();
  // Retires one of them. False: it is none any more.
  absl::StatusOr<bool> Retire(Ifindex tap);
  // Takes the network away, when no TAP exists any more.
  absl::StatusOr<CleanupResult> TakeAway();

 private:
  absl::StatusOr<bool> IsNotAdopted(Ifindex tap);

  const Parts parts_;
};

}  // namespace svnet
