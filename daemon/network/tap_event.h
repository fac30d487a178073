// What happens to leases, and to the network that they share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "daemon/base/network_name.h"
#include "daemon/lease/lease.h"

namespace svnet {

struct TapEvent {
  enum class Type {
    kAdded,
    kRemoved,
    kAttached,
    kDetached,
    kRepaired,
    kUpdated,
    kSnapshotEnd,  // of a watch: all leases that existed were sent
    kNoted,        // svnetd has changed what is the whole host's; only the log is told
    kFailed,       // svnetd could not do what it should; only the log is told
    kCondition,    // a condition holds from now on, or no longer; only the log is told
  };

  Type type;
  std::optional<Lease> lease;  // as it was right after; nullopt: it is about the network
  std::string message;         // what and why; empty where a caller asked for it
  // kRepaired: of what, of a closed set: "bridge", "forwarding", "rules", "tap".
  std::vector<absl::string_view> repaired;
  NetworkName network = {};  // without a lease: of which it is; the default one if of all
  // Of a watch.
  absl::Time time = absl::InfinitePast();
  uint64_t sequence = 0;  // from 1
};

inline const NetworkName& NetworkOf(const TapEvent& event) {
  return event.lease.has_value() ? event.lease->spec.network : event.network;
}

}  // namespace svnet
