// What happens to leases, and to the network that they share.
#pragma once

#include <optional>
#include <string>

#include "daemon/network/lease.h"

namespace svnet {

struct TapEvent {
  enum class Type {
    kAdded,
    kRemoved,
    kAttached,
    kDetached,
    kRepaired,
    kFailed,  // svnetd could not do what it should; only the log is told
  };

  Type type;
  std::optional<Lease> lease;  // as it was right after; nullopt: it is about the network
  std::string message;         // what and why; empty where a caller asked for it
};

}  // namespace svnet
