#include <algorithm>

#include "absl/strings/str_replace.h"
#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

// On a bridge.
constexpr absl::string_view kSets = R"(  map zone_of { type iface_index : mark; }
  set zones { type iface_index . mark; }
)";

constexpr absl::string_view kForward =
    R"(    $from_taps oifgroup $taps jump ~between_guests
)";

constexpr absl::string_view kForwardChains = R"(
  chain ~between_guests {
    meta mark set iif map @zone_of oif . meta mark @zones meta mark set 0 accept
    counter name ~foreign_zone drop
  }
)";

constexpr absl::string_view kFromGuest =
    R"(    oif $bridge ether daddr $mac counter name ~between_guests drop comment "no guest reaches another through the gateway"
)";

// Two groups are one if one owner's TAPs are in both.
constexpr absl::string_view kRoutedSets = R"(  set same_owner { type devgroup . devgroup; }
)";

constexpr absl::string_view kRoutedFromGuest =
    R"(    $to_guests goto ~between_guests
    ip daddr $prefix counter name ~between_guests drop comment "leased to nobody"
)";

constexpr absl::string_view kRoutedChains = R"(
  chain ~between_guests {
    udp sport 67 counter name ~dhcp_server drop
$same_zone    counter name ~foreign_zone drop
  }
)";

// Nobody but an owner's guests, so that no rule needs to know what is an answer.
constexpr absl::string_view kRoutedUntracked =
    R"(    ip daddr $prefix ip daddr != $gateway notrack
)";

absl::string_view AcceptOfSameZone(Isolation isolation) {
  switch (isolation) {
    case Isolation::kNone:
      return "    accept\n";
    case Isolation::kOwner:
      return "    iifgroup . oifgroup @same_owner accept\n";
    case Isolation::kAll:
      break;
  }
  return "";
}

void RenderShared(const RulesetContext& context, RulesetSlots* slots) {
  if (context.Has(NetworkKind::kBridge)) slots->Add("bridge.sets", kSets);
  const bool by_group =
      std::any_of(context.networks.begin(), context.networks.end(), [](const GuardedNetwork& each) {
        return each.network->kind == NetworkKind::kRouted &&
               each.network->isolation == Isolation::kOwner;
      });
  if (by_group) slots->Add("inet.maps", kRoutedSets);
}

void RenderRouted(const RulesetNetwork& network, RulesetSlots* slots) {
  slots->Add("inet.counters", "  counter ~between_guests { }\n  counter ~foreign_zone { }\n");
  slots->Add("inet.checked_guest", kRoutedUntracked);
  slots->Add("inet.from_guest", kRoutedFromGuest);
  slots->Add(
      "inet.chains",
      absl::StrReplaceAll(kRoutedChains, {{"$same_zone", AcceptOfSameZone(network.isolation)}}));
}

void Render(const RulesetNetwork& network, const RulesetContext& /*context*/, RulesetSlots* slots) {
  if (network.kind == NetworkKind::kRouted) return RenderRouted(network, slots);
  slots->Add("bridge.counters", "  counter ~foreign_zone { }\n");
  slots->Add("bridge.forward", kForward);
  slots->Add("bridge.forward.chains", kForwardChains);
  slots->Add("inet.counters", "  counter ~between_guests { }\n");
  slots->Add("inet.from_guest", kFromGuest);
}

void AddElements(const Binding& binding, const RulesetNetwork& network,
                 std::vector<NftElement>* elements) {
  if (network.kind == NetworkKind::kRouted) return;
  const NftField ifindex = NftField::Ifindex(binding.ifindex);
  const NftField zone = NftField::Mark(binding.zone);
  elements->push_back({.set = "zone_of", .key = {ifindex}, .data = {zone}});
  elements->push_back({.set = "zones", .key = {ifindex, zone}, .data = {}});
}

// Of all of an owner's guests together: it says nothing of a group in which no TAP is.
void AddLastingElements(const Binding& binding, const RulesetNetwork& network,
                        std::vector<NftElement>* elements) {
  if (network.kind != NetworkKind::kRouted || network.isolation != Isolation::kOwner) return;
  const NftField group = NftField::Mark(binding.zone);
  elements->push_back({.family = NftElement::Family::kInet,
                       .set = "same_owner",
                       .key = {group, group},
                       .data = {}});
}

}  // namespace

const RulesetPart kIsolation = {"isolation", RenderShared, Render, AddElements, AddLastingElements};

}  // namespace svnet
