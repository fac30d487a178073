#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

// Only the first packet of a connection comes to a chain of the type nat, and what is
// dropped there is never tracked. A guest that is over its limit rests: the kernel keeps a list of
// the connections of each element, goes through it for a new one, and would lengthen it by
// each that is refused. So the list of an owner is kept in parts, too: which of them a
// connection is in is left to chance. What finds an owner is the packet's priority, which
// routing sets anew.
constexpr absl::string_view kSets = R"(
  set connections_of_guest { type ipv4_addr; size $addresses; flags dynamic; }
  set connections_of_owner { type classid . mark; size $parts_of_owners; flags dynamic; }
  set resting_guests { type ipv4_addr; size $addresses; flags dynamic,timeout; timeout 100ms; }
  set resting_owners { type classid; size $addresses; flags dynamic,timeout; timeout 100ms; }

  chain new_connections {
    type nat hook prerouting priority -199; policy accept;
%%inet.new_connections
  }
)";

constexpr absl::string_view kNewConnections =
    R"(    $from_guests ip saddr $prefix goto ~count_connections comment "the first packet of each connection of a guest"
)";

constexpr absl::string_view kChains = R"(
  chain ~count_connections {
$count_guest    meta priority set ip saddr map @owner_of goto ~count_owner
  }

  chain ~guest_is_full {
    update @resting_guests { ip saddr }
    counter name ~guest_connections drop
  }

  chain ~count_owner {
$count_owner    meta priority set 0
  }

  chain ~owner_is_full {
    update @resting_owners { meta priority }
    counter name ~owner_connections drop
  }
)";

constexpr absl::string_view kCountGuest =
    R"(    ip saddr @resting_guests counter name ~guest_connections drop
    add @connections_of_guest { ip saddr ct count over $guest_connections } goto ~guest_is_full
)";

constexpr absl::string_view kCountOwner =
    R"(    meta priority @resting_owners counter name ~owner_connections drop
    add @connections_of_owner { meta priority . numgen random mod $parts ct count over $part } goto ~owner_is_full
)";

// The most that a set is made for; a bridge has 1,023 ports. The kernel reserves room for as
// many.
constexpr uint32_t kMaxSetSize = 65536;
constexpr uint32_t kPartSize = 512;
constexpr uint32_t kMaxParts = 64;

uint32_t PartsOf(uint32_t owner_connections) {
  return std::clamp(owner_connections / kPartSize, 1u, kMaxParts);
}

bool HasLimits(const RulesetSpec& spec) {
  return spec.guest_connections != 0 || spec.owner_connections.value_or(0) != 0;
}

void RenderShared(const RulesetContext& context, RulesetSlots* slots) {
  slots->Add("inet.maps", "  map owner_of { type ipv4_addr : classid; }\n");
  if (!HasLimits(context.spec)) return;
  uint64_t guests = 0;
  for (const GuardedNetwork& each : context.networks) {
    guests += uint64_t{1} << (32 - each.network->prefix.length());
  }
  const auto addresses = static_cast<uint32_t>(std::min<uint64_t>(guests, kMaxSetSize));
  const uint32_t parts = PartsOf(context.spec.owner_connections.value_or(0));
  slots->Add(
      "inet.sets",
      absl::StrReplaceAll(
          kSets, {{"$addresses", absl::StrCat(addresses)},
                  {"$parts_of_owners", absl::StrCat(std::min(addresses * parts, kMaxSetSize))}}));
}

void Render(const RulesetNetwork& /*network*/, const RulesetContext& context, RulesetSlots* slots) {
  slots->Add("inet.counters",
             "  counter ~guest_connections { }\n  counter ~owner_connections { }\n");
  if (!HasLimits(context.spec)) return;
  const uint32_t guest_connections = context.spec.guest_connections;
  const uint32_t owner_connections = context.spec.owner_connections.value_or(0);
  const uint32_t parts = PartsOf(owner_connections);
  slots->Add("inet.new_connections", kNewConnections);
  const std::string text =
      absl::StrReplaceAll(kChains, {{"$count_guest", guest_connections == 0 ? "" : kCountGuest},
                                    {"$count_owner", owner_connections == 0 ? "" : kCountOwner}});
  slots->Add("inet.sets",
             absl::StrReplaceAll(text, {{"$guest_connections", absl::StrCat(guest_connections)},
                                        {"$parts ", absl::StrCat(parts, " ")},
                                        {"$part ", absl::StrCat(owner_connections / parts, " ")}}));
}

void AddElements(const Binding& binding, const RulesetNetwork& /*network*/,
                 std::vector<NftElement>* elements) {
  elements->push_back({.family = NftElement::Family::kInet,
                       .set = "owner_of",
                       .key = {NftField::Address(binding.ip)},
                       .data = {NftField::ClassId(binding.owner)}});
}

}  // namespace

const RulesetPart kConnectionLimits = {"connection_limits", RenderShared, Render, AddElements};

}  // namespace svnet
