// What the rules depend on, apart from the guests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "daemon/base/ipv4.h"
#include "daemon/base/network_name.h"
#include "daemon/ruleset/binding.h"
#include "daemon/ruleset/ruleset_network.h"

namespace svnet {

struct RulesetSpec {
  std::map<NetworkName, RulesetNetwork> networks = {};
  // How many connections a guest may have open at once, and all guests of one owner
  // together; 0: any number. nullopt: a share of what the kernel tracks, which Apply knows;
  // in the text, any number.
  uint32_t guest_connections = 0;
  std::optional<uint32_t> owner_connections = 0;
  // With which address packets leave by a link (its ifindex), where masquerade would take another.
  std::map<int, Ipv4Address> preferred_sources = {};
  OtherForwarding others = OtherForwarding::kAsItIs;
  std::vector<uint32_t> admin_gids = {};  // whose processes are administrators' for kOwner
};

// The network "default" alone, with no limits.
inline RulesetSpec SpecOf(const RulesetNetwork& network) {
  return {.networks = {{network.name, network}}};
}

}  // namespace svnet
