// What the rules of a network depend on, apart from its guests.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/base/guest_access.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/network_kind.h"
#include "daemon/base/network_name.h"

namespace svnet {

struct RulesetNetwork {
  NetworkName name = {};
  NetworkKind kind = NetworkKind::kBridge;
  LinkName bridge;
  Ipv4Prefix prefix;
  // IFLA_GROUP of TAPs whose guests are served. Those of so many groups that follow are cut off.
  uint32_t link_group = 0;
  uint32_t retired_groups = 1;
  // On a routed network the bits of the group that all its TAPs have in common with link_group.
  uint32_t link_group_mask = 0xffff0000;
  // Which guests reach each other. On a bridge network the bindings' zones alone say that.
  Isolation isolation = Isolation::kOwner;
  // Whether guests may open connections to the host itself; if not, then only to
  // host_ports (and ping it).
  bool host_access = true;
  std::vector<HostPort> host_ports = {};
  // What guests may not reach, wherever it is.
  std::vector<Ipv4Prefix> blocked_destinations = {};
  LocalAccess local_access = LocalAccess::kAll;
  // Networks whose guests and this one's reach each other, if both say so.
  std::vector<NetworkName> peers = {};
};

}  // namespace svnet
