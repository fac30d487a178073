// What svnetd leases.
#pragma once

#include "daemon/lease/lease_spec.h"
#include "daemon/lease/tap_state.h"

namespace svnet {

// A TAP, a guest address and a guest MAC. It exists if and only if the TAP does.
struct Lease {
  LeaseSpec spec;
  TapState state;

  friend bool operator==(const Lease&, const Lease&) = default;
};

}  // namespace svnet
