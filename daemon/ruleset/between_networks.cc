#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

bool HasPeer(const RulesetNetwork& network, const NetworkName& peer) {
  return std::find(network.peers.begin(), network.peers.end(), peer) != network.peers.end();
}

// Nothing, where there is one network: then nobody pays for it.
void Render(const RulesetNetwork& network, const RulesetContext& context, RulesetSlots* slots) {
  if (context.networks.size() < 2) return;
  slots->Add("inet.counters", "  counter ~between_networks { }\n");
  for (const GuardedNetwork& other : context.networks) {
    const RulesetNetwork& its = *other.network;
    if (its.name == network.name) continue;
    if (HasPeer(network, its.name) && HasPeer(its, network.name)) continue;
    const std::string match =
        its.kind == NetworkKind::kBridge
            ? absl::StrCat("oif ", other.bridge.ifindex)
            : absl::StrFormat("oifgroup & 0x%08x == 0x%08x", its.link_group_mask, its.link_group);
    slots->Add("inet.from_guest",
               absl::StrCat("    ", match, " counter name ~between_networks drop\n"));
  }
}

}  // namespace

const RulesetPart kBetweenNetworks = {"between_networks", nullptr, Render};

}  // namespace svnet
