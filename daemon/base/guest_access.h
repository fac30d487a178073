// Whom guests may reach, and who may reach them.
#pragma once

#include <compare>
#include <cstdint>

namespace svnet {

// Which guests reach each other.
enum class Isolation {
  kNone,   // all
  kOwner,  // those of the same owner
  kAll,    // none
};

// Which local users reach guests through the host's network stack: all of them, or root,
// administrators and the lease's owner.
enum class LocalAccess { kAll, kOwner };

// A port of the host that guests may reach.
struct HostPort {
  enum class Protocol { kTcp, kUdp };
  Protocol protocol;
  uint16_t port;

  friend auto operator<=>(const HostPort&, const HostPort&) = default;
};

}  // namespace svnet
