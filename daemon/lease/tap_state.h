// What the kernel last said about the TAP of a lease.
#pragma once

#include <cstdint>

#include "daemon/base/ifindex.h"

namespace svnet {

struct TapState {
  Ifindex ifindex = 0;
  uint32_t mtu = 0;           // bytes; as when the lease began: a repair restores it
  bool attached = false;      // it has a carrier
  bool was_attached = false;  // at some time since it was made
  Ifindex bridge = 0;         // whose port it is; 0: of none
  uint32_t group = 0;         // IFLA_GROUP, as it was when the TAP was found; 0: not known
  bool pinned = false;        // see Link

  friend bool operator==(const TapState&, const TapState&) = default;
};

}  // namespace svnet
