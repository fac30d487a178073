#include "absl/strings/str_replace.h"
#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

// A TAP of ours is known by its link group, which nobody but root can change: from the
// instant in which it joins the bridge until it is gone, with elements or without, what
// is not bound is dropped.
constexpr absl::string_view kBridgeSets = R"(  set macs { type iface_index . ether_addr; }
  set addresses { type iface_index . ether_addr . ipv4_addr; }
)";

constexpr absl::string_view kBridgeCounters = R"(  counter ~foreign_mac { }
  counter ~foreign_protocol { }
  counter ~foreign_arp { }
  counter ~foreign_address { }
  counter ~dhcp_server { }
  counter ~foreign_destination { }
  counter ~foreign_receiver { }
  counter ~loopback_destination { }
  counter ~announcement { }
)";

constexpr absl::string_view kBridgePrerouting =
    R"(    $known_from_taps ether type ip iif . ether saddr . ip saddr @addresses goto ~bound_ip comment "nearly every frame: one lookup"
    $from_taps goto ~from_guest
)";

constexpr absl::string_view kBridgePreroutingChains = R"(
  chain ~bound_ip {
    ip daddr 127.0.0.0/8 counter name ~loopback_destination drop comment "whatever route_localnet says, and before any NAT"
    udp sport 67 counter name ~dhcp_server drop
  }

  chain ~from_guest {
    iif . ether saddr != @macs counter name ~foreign_mac drop
    ether type ip counter name ~foreign_address drop
    ether type arp goto ~arp_from_guest
    ether type 0x8035 @nh,0,64 0x0001080006040003 counter name ~announcement drop comment "RARP after a restore: nobody here learns MACs"
    counter name ~foreign_protocol drop comment "IPv6, VLAN tags, BPDUs, LLC and all else"
  }

  chain ~arp_from_guest {
    arp htype 1 arp ptype ip arp hlen 6 arp plen 4 iif . arp saddr ether . arp saddr ip @addresses iif . arp saddr ether . arp daddr ip @addresses counter name ~announcement accept comment "gratuitous"
    arp htype 1 arp ptype ip arp hlen 6 arp plen 4 iif . arp saddr ether . arp saddr ip @addresses accept
    arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation request iif . arp saddr ether @macs arp saddr ip 0.0.0.0 accept comment "RFC 5227: a probe"
    counter name ~foreign_arp drop
  }
)";

constexpr absl::string_view kBridgeInput =
    R"(    ether daddr != $mac $from_taps goto ~to_host
)";

constexpr absl::string_view kBridgeInputChains = R"(
  chain ~to_host {
    ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 counter name ~foreign_destination drop comment "a MAC that is local to the bridge, but not the gateway's"
    ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 counter name ~foreign_destination drop comment "reserved: these go up by the port itself"
  }
)";

constexpr absl::string_view kBridgePostrouting =
    R"(    $known_to_taps oif . ether daddr @macs accept comment "nearly every frame: one lookup"
    ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 $to_taps counter name ~foreign_receiver drop comment "a port carries what is for its own guest, or for many"
)";

constexpr absl::string_view kInetCounters = R"(  counter ~past_the_bridge { }
  counter ~spoofed_source { }
  counter ~loopback_to_host { }
)";

constexpr absl::string_view kForwardFirst =
    R"(    $source counter name ~spoofed_source drop comment "guests' packets come by the bridge only"
)";

constexpr absl::string_view kForwardLast =
    R"(    $from_taps counter name ~past_the_bridge drop comment "a frame to 01:80:c2:00:00:0e may come past the bridge's hooks"
)";

constexpr absl::string_view kToGuest = R"(    iifgroup $taps counter name ~past_the_bridge drop
)";

constexpr absl::string_view kInput = R"(    $from_taps counter name ~past_the_bridge drop
    iif != lo $source counter name ~spoofed_source drop
)";

constexpr absl::string_view kHostFromGuest =
    R"(    ip daddr 127.0.0.0/8 counter name ~loopback_to_host drop comment "as in the bridge's rules; also what NAT sends there"
    ip saddr 127.0.0.0/8 counter name ~loopback_to_host drop
    ct original ip daddr 127.0.0.0/8 counter name ~loopback_to_host drop
)";

constexpr absl::string_view kArpInput =
    R"(    $from_taps drop comment "as in inet forward"
)";

// On routed networks a TAP sends what has the address of its guest, from before the host puts
// fragments together and tracks connections. The strict reverse path filter of each TAP asks once
// more, for the address that the host routes to it. (To ask that here, by `fib`, takes twice the
// time of the lookup.)
constexpr absl::string_view kRoutedSets = R"(  set sources { type iface_index . ipv4_addr; }
)";

constexpr absl::string_view kRoutedCounters = R"(  counter ~foreign_protocol { }
  counter ~foreign_address { }
  counter ~dhcp_server { }
  counter ~loopback_destination { }
  counter ~spoofed_source { }
  counter ~loopback_to_host { }
)";

constexpr absl::string_view kRoutedHook = R"(
  chain from_taps {
    type filter hook prerouting priority -450; policy accept;
%%inet.from_taps
  }
)";

constexpr absl::string_view kRoutedFromTaps = R"(    $from_guests goto ~from_tap
)";

constexpr absl::string_view kRoutedChains = R"(
  chain ~from_tap {
    $likely iif . ip saddr @sources goto ~checked_guest comment "nearly every packet: one lookup"
%inet.from_tap
    meta nfproto ipv6 counter name ~foreign_protocol drop
    counter name ~foreign_address drop
  }

  chain ~checked_guest {
    ip daddr 127.0.0.0/8 counter name ~loopback_destination drop comment "whatever route_localnet says, and before any NAT"
%inet.checked_guest
  }
)";

constexpr absl::string_view kRoutedForwardFirst =
    R"(    $source counter name ~spoofed_source drop comment "guests' packets come by their TAPs only"
)";

constexpr absl::string_view kRoutedInput =
    R"(    iif != lo $source counter name ~spoofed_source drop
)";

// The host asks no guest for its MAC, and proxies for nothing but the network.
constexpr absl::string_view kRoutedArpInput =
    R"(    $from_guests arp operation != request drop
    $from_guests arp daddr ip != $prefix drop
)";

// Guests that believe in other addresses send no packet that is found in `sources`.
absl::string_view LikelySource(const RulesetContext& context) {
  return context.views ? "ip saddr $prefix " : "";
}

void RenderRouted(const RulesetContext& context, RulesetSlots* slots) {
  slots->Add("inet.counters", kRoutedCounters);
  slots->Add("inet.forward.first", kRoutedForwardFirst);
  slots->Add("inet.from_taps", kRoutedFromTaps);
  slots->Add("inet.chains",
             absl::StrReplaceAll(kRoutedChains, {{"$likely ", LikelySource(context)}}));
  slots->Add("inet.input", kRoutedInput);
  slots->Add("inet.host_from_guest", kHostFromGuest);
  slots->Add("arp.input", kRoutedArpInput);
}

void RenderShared(const RulesetContext& context, RulesetSlots* slots) {
  if (context.Has(NetworkKind::kBridge)) slots->Add("bridge.sets", kBridgeSets);
  if (!context.Has(NetworkKind::kRouted)) return;
  slots->Add("inet.maps", kRoutedSets);
  slots->Add("inet.chains", kRoutedHook);
}

void Render(const RulesetNetwork& network, const RulesetContext& context, RulesetSlots* slots) {
  if (network.kind == NetworkKind::kRouted) return RenderRouted(context, slots);
  slots->Add("bridge.counters", kBridgeCounters);
  slots->Add("bridge.prerouting", kBridgePrerouting);
  slots->Add("bridge.prerouting.chains", kBridgePreroutingChains);
  slots->Add("bridge.input", kBridgeInput);
  slots->Add("bridge.input.chains", kBridgeInputChains);
  slots->Add("bridge.postrouting", kBridgePostrouting);
  slots->Add("inet.counters", kInetCounters);
  slots->Add("inet.forward.first", kForwardFirst);
  slots->Add("inet.forward.last", kForwardLast);
  slots->Add("inet.to_guest", kToGuest);
  slots->Add("inet.input", kInput);
  slots->Add("inet.host_from_guest", kHostFromGuest);
  slots->Add("arp.input", kArpInput);
}

void AddElements(const Binding& binding, const RulesetNetwork& network,
                 std::vector<NftElement>* elements) {
  const NftField ifindex = NftField::Ifindex(binding.ifindex);
  const NftField address = NftField::Address(binding.ip);
  if (network.kind == NetworkKind::kRouted) {
    // A guest with a view never sends with the lease's address.
    if (binding.view.has_value()) return;
    elements->push_back({.family = NftElement::Family::kInet,
                         .set = "sources",
                         .key = {ifindex, address},
                         .data = {}});
    return;
  }
  const NftField mac = NftField::Mac(binding.mac);
  elements->push_back({.set = "macs", .key = {ifindex, mac}, .data = {}});
  elements->push_back({.set = "addresses", .key = {ifindex, mac, address}, .data = {}});
}

}  // namespace

const RulesetPart kAntiSpoof = {"anti_spoof", RenderShared, Render, AddElements};

}  // namespace svnet
