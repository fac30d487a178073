// How a lease's TAP differs from what it should be.
#pragma once

#include <string>

#include "daemon/base/link_name.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"

namespace svnet {

// What the TAP of every lease of a network has.
struct PortPlan {
  LinkName bridge_name;
  Ifindex bridge;
  uint32_t group;  // IFLA_GROUP
  bool isolated;
};

// How a lease's TAP should be. Pure.
PortSpec PlanPort(const Lease& lease, const PortPlan& plan);

// How the TAP differs from that, for people: "it was down, it had MTU 900"; empty: it does not.
// Pure.
std::string DescribeDrift(const Lease& lease, const Link& link, const PortPlan& plan);

}  // namespace svnet
