// What the firewall enforces for a lease.
#pragma once

#include "daemon/base/guest_access.h"
#include "daemon/base/ifindex.h"
#include "daemon/firewall/firewall.h"
#include "daemon/lease/lease_spec.h"

namespace svnet {

// What the firewall lets the guest on the TAP `tap` send. Pure.
Binding BindingOf(const LeaseSpec& spec, Ifindex tap, Isolation isolation);

}  // namespace svnet
