#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/ruleset/quoted_address_rule.h"
#include "daemon/ruleset/ruleset_part.h"
#include "daemon/ruleset/table_template.h"

namespace svnet {
namespace {

// Only if there is a guest with a view is there the hook for what goes to TAPs, by which every
// packet comes.
//
// What a guest believes is turned into what its lease has as its packets come from the TAP, and
// back as the last thing before they go there: all else knows the lease's address alone. By address
// and TAP, so that a packet of another guest costs a lookup, and that what is turned already, by
// tables that are about to be replaced, stays as it is.
//
// view_sources: TAP and the guest's own address : the lease's. view_gateways: TAP and the guest's
// gateway : the network's. view_targets: both the other way.
//
// A look-up takes a fortieth of the time of a packet between guests. So what goes to the network's
// own guests is not looked up in view_gateways, except for guests whose gateway has such an
// address: these are in near_view_sources instead of view_sources.
constexpr absl::string_view kNearMap =
    R"(  map near_view_sources { type iface_index . ipv4_addr : ipv4_addr; }
)";

constexpr absl::string_view kMaps =
    R"(  map view_sources { type iface_index . ipv4_addr : ipv4_addr; }
  map view_gateways { type iface_index . ipv4_addr : ipv4_addr; }
  map view_targets { type iface_index . ipv4_addr : ipv4_addr; }
)";

// The mark of what is turned: forwarding replaces a packet's priority, and no guest can set it.
constexpr absl::string_view kFromTap =
    R"(    ip saddr set iif . ip saddr map @view_sources goto ~view_from_guest
    ip saddr set iif . ip saddr map @near_view_sources goto ~near_view_from_guest
    meta priority 0:f5a0 goto ~checked_guest comment "turned already, by tables that are about to be replaced"
)";

constexpr absl::string_view kHook = R"(
  chain to_taps {
    type filter hook postrouting priority 300; policy accept;
%%inet.to_taps
  }
)";

constexpr absl::string_view kToTaps =
    R"(    $to_guests ip daddr set oif . ip daddr map @view_targets goto ~view_to_guest
)";

constexpr absl::string_view kArpHook = R"(
  chain output {
    type filter hook output priority filter; policy accept;
%%arp.output
  }
)";

// Errors quote the packet that they are about: QuotedAddressRulesOf.
constexpr absl::string_view kChains = R"(
  chain ~near_view_from_guest {
    ip daddr set iif . ip daddr map @view_gateways
    goto ~view_from_guest
  }

  chain ~view_from_guest {
    meta priority set 0:f5a0
    ip daddr != $prefix ip daddr set iif . ip daddr map @view_gateways
    icmp type { 3, 4, 5, 11, 12 } jump ~view_errors_from_guest
    goto ~checked_guest
  }

  chain ~view_errors_from_guest {
  }

  chain ~view_to_guest {
    icmp type { 3, 4, 5, 11, 12 } jump ~view_errors_to_guest
    ip saddr $gateway ip saddr set oif . ip saddr map @view_targets
  }

  chain ~view_errors_to_guest {
  }
)";

// The guest asks for its gateway, and gets no answer that it has its own address.
constexpr absl::string_view kArpInput =
    R"(    $from_guests arp daddr ip set iif . arp daddr ip map @view_sources counter name ~announcement drop comment "gratuitous: nobody here learns MACs"
    $from_guests arp daddr ip set iif . arp daddr ip map @view_gateways
    $from_guests arp saddr ip set iif . arp saddr ip map @view_sources
)";

constexpr absl::string_view kArpCounter = R"(  counter ~announcement { }

)";

constexpr absl::string_view kArpOutput =
    R"(    $to_guests arp saddr ip set oif . arp saddr ip map @view_targets
    $to_guests arp daddr ip set oif . arp daddr ip map @view_targets
)";

void RenderShared(const RulesetContext& context, RulesetSlots* slots) {
  if (!context.Has(NetworkKind::kRouted)) return;
  slots->Add("inet.maps", kNearMap);
  slots->Add("inet.maps", kMaps);
  slots->Add("arp.maps", kMaps);
  if (!context.views) return;
  slots->Add("inet.chains", kHook);
  slots->Add("arp.chains", kArpHook);
}

void Render(const RulesetNetwork& network, const RulesetContext& /*context*/, RulesetSlots* slots) {
  if (network.kind != NetworkKind::kRouted) return;
  slots->Add("arp.maps", kArpCounter);
  slots->Add("inet.from_tap", kFromTap);
  slots->Add("inet.to_taps", kToTaps);
  slots->Add("inet.chains", kChains);
  slots->Add("arp.input", kArpInput);
  slots->Add("arp.output", kArpOutput);
}

void AddElements(const Binding& binding, const RulesetNetwork& network,
                 std::vector<NftElement>* elements) {
  if (!binding.view.has_value()) return;
  const NftField tap = NftField::Ifindex(binding.ifindex);
  const NftField address = NftField::Address(binding.ip);
  const Ipv4Address of_network(network.prefix.network().value() + 1);
  const NftField gateway = NftField::Address(of_network);
  const NftField own_address = NftField::Address(binding.view->address);
  const NftField own_gateway = NftField::Address(binding.view->gateway);
  const bool near =
      network.prefix.Contains(binding.view->gateway) && binding.view->gateway != of_network;
  for (const NftElement::Family family : {NftElement::Family::kInet, NftElement::Family::kArp}) {
    const auto add = [&](absl::string_view map, const NftField& from, const NftField& to) {
      elements->push_back({.family = family, .set = map, .key = {tap, from}, .data = {to}});
    };
    add(near && family == NftElement::Family::kInet ? "near_view_sources" : "view_sources",
        own_address, address);
    add("view_gateways", own_gateway, gateway);
    add("view_targets", address, own_address);
    add("view_targets", gateway, own_gateway);
  }
}

}  // namespace

const RulesetPart kGuestView = {"guest_view", RenderShared, Render, AddElements};

bool HaveViews(const std::vector<NetworkGuests>& networks) {
  return std::any_of(networks.begin(), networks.end(), [](const NetworkGuests& each) {
    return std::any_of(each.bindings.begin(), each.bindings.end(),
                       [](const Binding& binding) { return binding.view.has_value(); });
  });
}

std::vector<QuotedAddressRule> QuotedAddressRulesOf(const RulesetSpec& spec,
                                                    const std::vector<NetworkGuests>& networks) {
  using Rule = QuotedAddressRule;
  std::vector<Rule> rules;
  for (const NetworkGuests& each : networks) {
    if (spec.networks.at(each.name).kind != NetworkKind::kRouted) continue;
    const std::string own = OwnPrefix(each.name);
    // What the guest refuses was sent to it; what it is refused it has sent.
    const std::string from_guest = absl::StrCat(own, "view_errors_from_guest");
    const std::string to_guest = absl::StrCat(own, "view_errors_to_guest");
    rules.push_back({from_guest, Rule::Link::kIn, "view_sources", Rule::Which::kDestination});
    rules.push_back({from_guest, Rule::Link::kIn, "near_view_sources", Rule::Which::kDestination});
    rules.push_back({from_guest, Rule::Link::kIn, "view_gateways", Rule::Which::kSource});
    rules.push_back({to_guest, Rule::Link::kOut, "view_targets", Rule::Which::kSource});
    rules.push_back({to_guest, Rule::Link::kOut, "view_targets", Rule::Which::kDestination});
  }
  return rules;
}

}  // namespace svnet
