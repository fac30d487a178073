// What the rules of a network depend on, apart from its guests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "daemon/base/guest_access.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/network_kind.h"
#include "daemon/ruleset/binding.h"

namespace svnet {

struct RulesetSpec {
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
  std::vector<HostPort> host_ports;
  // What guests may not reach, wherever it is.
  std::vector<Ipv4Prefix> blocked_destinations;
  // How many connections a guest may have open at once, and all guests of one owner
  // together; 0: any number. nullopt: a share of what the kernel tracks, which Apply knows;
  // in the text, any number.
  uint32_t guest_connections = 0;
  std::optional<uint32_t> owner_connections = 0;
  // With which address packets leave by a link (its ifindex), where masquerade would take another.
  std::map<int, Ipv4Address> preferred_sources = {};
  OtherForwarding others = OtherForwarding::kAsItIs;
  LocalAccess local_access = LocalAccess::kAll;
  std::vector<uint32_t> admin_gids;  // whose processes are administrators' for kOwner
};

}  // namespace svnet
