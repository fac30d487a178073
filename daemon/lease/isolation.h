// Which guests reach each other, and what each may send.
#pragma once

#include "daemon/base/ifindex.h"
#include "daemon/firewall/firewall.h"
#include "daemon/lease/lease_spec.h"

namespace svnet {

enum class Isolation {
  kNone,   // all guests reach each other
  kOwner,  // only guests of the same owner reach each other
  kAll,    // no guest reaches another
};

// What the firewall lets the guest on the TAP `tap` send. Pure.
Binding BindingOf(const LeaseSpec& spec, Ifindex tap, Isolation isolation);

}  // namespace svnet
