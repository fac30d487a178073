// How a lease's TAP differs from what it should be.
#pragma once

#include <string>

#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/network_kind.h"
#include "daemon/base/network_name.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"

namespace svnet {

// What the TAPs of a network have in common.
struct TapPlan {
  NetworkName network = {};
  NetworkKind kind = NetworkKind::kBridge;
  LinkName bridge_name;
  Ifindex bridge;  // whose ports they are, or, on a routed network, which has the gateway's address
  uint32_t group;  // IFLA_GROUP; on a routed network see DeriveRoutedGroup
  MacAddress mac;  // a TAP's own
  bool isolated;
};

// How the TAP of a lease on a bridge should be. Pure.
PortSpec PlanPort(const Lease& lease, const TapPlan& plan);
// The same on a routed network; `group`: its owner's. Pure.
RoutedTapSpec PlanRoutedTap(const Lease& lease, const TapPlan& plan, uint32_t group,
                            Ipv4Address gateway);

// How the TAP differs from that, for people: "it was down, it had MTU 900"; empty: it does not.
// Pure.
std::string DescribeDrift(const Lease& lease, const Link& link, const TapPlan& plan);
std::string DescribeRoutedDrift(const Lease& lease, const Link& link, const RoutedTapSpec& spec);

}  // namespace svnet
