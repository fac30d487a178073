#include "daemon/firewall/ruleset.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace svnet {
namespace {

// No rule names an uplink: a default route that changes needs nothing. Nor does one
// name a guest: they are elements of sets, so that a packet costs the same however many
// guests there are.
//
// A TAP of ours is known by its link group, which nobody but root can change: from the
// instant in which it joins the bridge until it is gone, with elements or without, what
// is not bound is dropped.

// Frames between a guest and the bridge.
constexpr absl::string_view kBridgeTable = R"(table bridge $table {
  comment "made by svnetd, which replaces it whole: changes are lost"

  set macs { type iface_index . ether_addr; }
  set addresses { type iface_index . ether_addr . ipv4_addr; }
  map zone_of { type iface_index : mark; }
  set zones { type iface_index . mark; }

  counter foreign_mac { }
  counter foreign_protocol { }
  counter foreign_arp { }
  counter foreign_address { }
  counter dhcp_server { }
  counter foreign_zone { }
  counter foreign_destination { }
  counter foreign_receiver { }
  counter loopback_destination { }

  chain prerouting {
    type filter hook prerouting priority dstnat; policy accept;
    ether type ip iif . ether saddr . ip saddr @addresses goto bound_ip comment "nearly every frame: one lookup"
    iifgroup $taps goto from_guest
  }

  chain bound_ip {
    ip daddr 127.0.0.0/8 counter name loopback_destination drop comment "whatever route_localnet says, and before any NAT"
    udp sport 67 counter name dhcp_server drop
  }

  chain from_guest {
    iif . ether saddr != @macs counter name foreign_mac drop
    ether type ip counter name foreign_address drop
    ether type arp goto arp_from_guest
    counter name foreign_protocol drop comment "IPv6, VLAN tags, BPDUs, LLC and all else"
  }

  chain arp_from_guest {
    arp htype 1 arp ptype ip arp hlen 6 arp plen 4 iif . arp saddr ether . arp saddr ip @addresses accept
    arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation request iif . arp saddr ether @macs arp saddr ip 0.0.0.0 accept comment "RFC 5227: a probe"
    counter name foreign_arp drop
  }

  chain forward {
    type filter hook forward priority filter; policy accept;
    iifgroup $taps oifgroup $taps jump between_guests
  }

  chain between_guests {
    meta mark set iif map @zone_of oif . meta mark @zones meta mark set 0 accept
    counter name foreign_zone drop
  }

  chain input {
    type filter hook input priority filter; policy accept;
    ether daddr != $mac iifgroup $taps goto to_host
  }

  chain to_host {
    ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 counter name foreign_destination drop comment "a MAC that is local to the bridge, but not the gateway's"
    ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 counter name foreign_destination drop comment "reserved: these go up by the port itself"
  }

  chain postrouting {
    type filter hook postrouting priority filter; policy accept;
    oif . ether daddr @macs accept comment "nearly every frame: one lookup"
    ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 oifgroup $taps counter name foreign_receiver drop comment "a port carries what is for its own guest, or for many"
  }
}
)";

// Packets between guests, the host and everybody else.
constexpr absl::string_view kInetTable = R"(table inet $table {
  comment "made by svnetd, which replaces it whole: changes are lost"

  counter past_the_bridge { }
  counter blocked_destination { }
  counter between_guests { }
  counter unasked { }
  counter host_denied { }
  counter spoofed_source { }
  counter loopback_to_host { }
  counter guest_connections { }
  counter owner_connections { }
  counter other_forwarding { }
  counter local_denied { }

  map owner_of { type ipv4_addr : classid; }
$blocked_set$connection_sets
  chain forward {
    type filter hook forward priority filter; policy accept;
    iif $bridge goto from_guest
    ip saddr $prefix counter name spoofed_source drop comment "guests' packets come by the bridge only"
    oif $bridge goto to_guest
    iifgroup $taps counter name past_the_bridge drop comment "a frame to 01:80:c2:00:00:0e may come past the bridge's hooks"
  }

  chain from_guest {
    oif $bridge ether daddr $mac counter name between_guests drop comment "no guest reaches another through the gateway"
$blocked_rules  }

  chain to_guest {
    iifgroup $taps counter name past_the_bridge drop
    ct state established,related accept
    counter name unasked drop comment "nobody outside opens a connection to a guest"
  }
$local_access$forward_others
  chain input {
    type filter hook input priority filter; policy accept;
    iif $bridge goto host_from_guest
    iifgroup $taps counter name past_the_bridge drop
    iif != lo ip saddr $prefix counter name spoofed_source drop
  }

  chain host_from_guest {
    ip daddr 127.0.0.0/8 counter name loopback_to_host drop comment "as in the bridge's rules; also what NAT sends there"
    ip saddr 127.0.0.0/8 counter name loopback_to_host drop
    ct original ip daddr 127.0.0.0/8 counter name loopback_to_host drop
$blocked_rules$host_rules  }

  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iif { 0, $bridge } ip saddr $prefix oifname != { "$name", "lo" } masquerade comment "guests, and the host itself, leave with the host's address"
  }
}
)";

// Behind the chain `forward`, whose counters say more. Where svnetd itself has turned forwarding
// on. What two bridges have between them may be bridged: with bridge-nf-call-iptables that comes
// here, too, and is nobody's to drop.
constexpr absl::string_view kForwardOthers = R"(
  chain forward_others {
    comment "svnetd has turned net.ipv4.ip_forward on, for its guests alone"
    type filter hook forward priority filter + 10; policy accept;
    iif $bridge accept
    oif $bridge accept
    meta iifkind "bridge" meta oifkind "bridge" accept
    meta nfproto ipv4 counter name other_forwarding drop
  }
)";

// What the host's own processes begin. What the kernel sends by itself has no user, and is
// an answer, or about one.
constexpr absl::string_view kLocalAccess = R"(
  set local_users { type ipv4_addr . uid; }

  chain output {
    type filter hook output priority filter; policy accept;
    oif $bridge goto guest_from_host
  }

  chain guest_from_host {
    ct state established,related accept
    meta skuid 0 accept
$admin_rule    ip daddr . meta skuid @local_users accept
    meta nfproto ipv4 counter name local_denied drop
    meta skuid != 0 counter name local_denied drop comment "IPv6, which guests have not"
  }
)";

constexpr absl::string_view kArpTable = R"(table arp $table {
  comment "made by svnetd, which replaces it whole: changes are lost"

  chain input {
    type filter hook input priority filter; policy accept;
    iifgroup $taps drop comment "as in inet forward"
  }
}
)";

constexpr absl::string_view kBlockedSet = R"(
  set blocked {
    type ipv4_addr; flags interval; auto-merge
    elements = { $prefixes }
  }
)";

// Also what somebody's NAT is about to send elsewhere.
constexpr absl::string_view kBlockedRules =
    R"(    ip daddr != $prefix ip daddr $blocked counter name blocked_destination drop
    ct original ip daddr != $prefix ct original ip daddr $blocked counter name blocked_destination drop
)";

std::string RenderBlockedSet(const std::vector<Ipv4Prefix>& prefixes) {
  // One is compared with, which costs less than to look into a set.
  if (prefixes.size() < 2) return "";
  const auto append = [](std::string* out, const Ipv4Prefix& p) {
    absl::StrAppend(out, p.ToString());
  };
  return absl::StrReplaceAll(kBlockedSet, {{"$prefixes", absl::StrJoin(prefixes, ", ", append)}});
}

std::string RenderBlockedRules(const std::vector<Ipv4Prefix>& prefixes) {
  if (prefixes.empty()) return "";
  return absl::StrReplaceAll(
      kBlockedRules, {{"$blocked", prefixes.size() == 1 ? prefixes[0].ToString() : "@blocked"}});
}

// Only the first packet of a connection comes to a chain of the type nat, and what is
// dropped there is never tracked. Who is over its limit rests: the kernel keeps a list of
// the connections of each element, goes through it for a new one, and would lengthen it by
// each that is refused. So the list of an owner is kept in parts, too: which of them a
// connection is in is left to chance. What finds an owner is the packet's priority, which
// routing sets anew.
constexpr absl::string_view kConnectionSets = R"(
  set connections_of_guest { type ipv4_addr; size $addresses; flags dynamic; }
  set connections_of_owner { type classid . mark; size $parts_of_owners; flags dynamic; }
  set resting_guests { type ipv4_addr; size $addresses; flags dynamic,timeout; timeout 100ms; }
  set resting_owners { type classid; size $addresses; flags dynamic,timeout; timeout 100ms; }

  chain new_connections {
    type nat hook prerouting priority -199; policy accept;
    iif $bridge ip saddr $prefix goto count_connections comment "the first packet of each connection of a guest"
  }

  chain count_connections {
$count_guest    meta priority set ip saddr map @owner_of goto count_owner
  }

  chain guest_is_full {
    update @resting_guests { ip saddr }
    counter name guest_connections drop
  }

  chain count_owner {
$count_owner    meta priority set 0
  }

  chain owner_is_full {
    update @resting_owners { meta priority }
    counter name owner_connections drop
  }
)";

constexpr absl::string_view kCountGuest =
    R"(    ip saddr @resting_guests counter name guest_connections drop
    add @connections_of_guest { ip saddr ct count over $guest_connections } goto guest_is_full
)";

constexpr absl::string_view kCountOwner =
    R"(    meta priority @resting_owners counter name owner_connections drop
    add @connections_of_owner { meta priority . numgen random mod $parts ct count over $part } goto owner_is_full
)";

// The most that a set is made for; a bridge has 1,023 ports. The kernel reserves room for as
// many.
constexpr uint32_t kMaxSetSize = 65536;
constexpr uint32_t kPartSize = 512;
constexpr uint32_t kMaxParts = 64;

std::string RenderConnectionSets(const RulesetSpec& spec) {
  const uint32_t owner = spec.owner_connections.value_or(0);
  if (spec.guest_connections == 0 && owner == 0) return "";
  const uint32_t addresses = static_cast<uint32_t>(
      std::min<uint64_t>(uint64_t{1} << (32 - spec.prefix.length()), kMaxSetSize));
  const uint32_t parts = std::clamp(owner / kPartSize, 1u, kMaxParts);
  std::string text = absl::StrReplaceAll(
      kConnectionSets, {{"$count_guest", spec.guest_connections == 0 ? "" : kCountGuest},
                        {"$count_owner", owner == 0 ? "" : kCountOwner}});
  return absl::StrReplaceAll(
      text, {{"$addresses", absl::StrCat(addresses)},
             {"$parts_of_owners", absl::StrCat(std::min(addresses * parts, kMaxSetSize))},
             {"$guest_connections", absl::StrCat(spec.guest_connections)},
             {"$parts ", absl::StrCat(parts, " ")},
             {"$part ", absl::StrCat(owner / parts, " ")}});
}

std::string RenderLocalAccess(const RulesetSpec& spec) {
  if (spec.local_access == LocalAccess::kAll) return "";
  const std::string admins =
      spec.admin_gids.empty()
          ? ""
          : absl::StrCat("    meta skgid { ", absl::StrJoin(spec.admin_gids, ", "), " } accept\n");
  return absl::StrReplaceAll(kLocalAccess, {{"$admin_rule", admins}});
}

std::string RenderHostRules(const RulesetSpec& spec) {
  if (spec.host_access) return "";
  std::string rules =
      "    ct state established,related accept\n"
      "    icmp type echo-request accept\n";
  for (const HostPort& port : spec.host_ports) {
    absl::StrAppend(&rules, "    ", port.protocol == HostPort::Protocol::kTcp ? "tcp" : "udp",
                    " dport ", port.port, " accept\n");
  }
  return absl::StrCat(rules, "    counter name host_denied drop\n");
}

// One command for each set: a command for each element takes nft(8) twice as long.
std::string RenderElements(const RulesetSpec& spec, const std::vector<Binding>& bindings) {
  if (bindings.empty()) return "";
  std::vector<std::string> macs, addresses, zone_of, zones, owner_of, local_users;
  for (const Binding& binding : bindings) {
    macs.push_back(absl::StrCat(binding.ifindex, " . ", binding.mac.ToString()));
    addresses.push_back(absl::StrCat(macs.back(), " . ", binding.ip.ToString()));
    zone_of.push_back(absl::StrCat(binding.ifindex, " : ", binding.zone));
    zones.push_back(absl::StrCat(binding.ifindex, " . ", binding.zone));
    local_users.push_back(absl::StrCat(binding.ip.ToString(), " . ", binding.owner));
    owner_of.push_back(absl::StrFormat("%s : %x:%x", binding.ip.ToString(), binding.owner >> 16,
                                       binding.owner & 0xffff));
  }
  const auto add = [&](absl::string_view set, const std::vector<std::string>& elements,
                       absl::string_view family = "bridge") {
    return absl::StrCat("add element ", family, " ", TableName(spec.bridge), " ", set, " { ",
                        absl::StrJoin(elements, ", "), " }\n");
  };
  return absl::StrCat(
      add("macs", macs), add("addresses", addresses), add("zone_of", zone_of), add("zones", zones),
      add("owner_of", owner_of, "inet"),
      spec.local_access == LocalAccess::kAll ? "" : add("local_users", local_users, "inet"));
}

// A field of a key, in the machine's byte order.
std::string HostOrder(uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace

const std::vector<std::string>& TableFamilies() {
  static const auto* const families = new std::vector<std::string>{"inet", "bridge", "arp"};
  return *families;
}

std::string RenderRuleset(const RulesetSpec& spec, const GuestBridge& bridge,
                          const std::vector<Binding>& bindings) {
  const std::string tables = absl::StrReplaceAll(
      absl::StrCat(kBridgeTable, kInetTable, kArpTable),
      {{"$blocked_set", RenderBlockedSet(spec.blocked_destinations)},
       {"$blocked_rules", RenderBlockedRules(spec.blocked_destinations)},
       {"$forward_others", spec.others == OtherForwarding::kClosed ? kForwardOthers : ""},
       {"$local_access", RenderLocalAccess(spec)},
       {"$connection_sets", RenderConnectionSets(spec)},
       {"$host_rules", RenderHostRules(spec)}});
  std::string ruleset = RenderRemoval(spec.bridge);
  absl::StrAppend(
      &ruleset, absl::StrReplaceAll(tables, {{"$table", TableName(spec.bridge)},
                                             {"$prefix", spec.prefix.ToString()},
                                             {"$name", spec.bridge.text()},
                                             {"$bridge", absl::StrCat(bridge.ifindex)},
                                             {"$mac", bridge.mac.ToString()},
                                             {"$taps", absl::StrCat("{ ", spec.link_group, ", ",
                                                                    spec.link_group + 1, " }")}}));
  return ruleset + RenderElements(spec, bindings);
}

std::string RenderOpening(const LinkName& bridge) {
  const std::string chain =
      absl::StrCat(" chain inet ", TableName(bridge), " ", kForwardOthersChain, "\n");
  return absl::StrCat("flush", chain, "delete", chain);
}

std::string RenderRemoval(const LinkName& bridge) {
  std::string removal;
  // To add a table before it is deleted makes "delete" right whether or not it was there.
  for (const std::string& family : TableFamilies()) {
    const std::string table = absl::StrCat(" table ", family, " ", TableName(bridge), "\n");
    absl::StrAppend(&removal, "add", table, "delete", table);
  }
  return removal;
}

std::vector<NftElement> ElementsOf(const Binding& binding, LocalAccess local_access) {
  const std::string ifindex = HostOrder(static_cast<uint32_t>(binding.ifindex));
  const std::string zone = HostOrder(binding.zone);
  const uint32_t address = htonl(binding.ip.value());
  const std::string mac(binding.mac.octets().begin(), binding.mac.octets().end());
  std::vector<NftElement> elements = {
      {.set = "macs", .key = ifindex + mac + std::string(2, '\0')},
      {.set = "addresses", .key = ifindex + mac + std::string(2, '\0') + HostOrder(address)},
      {.set = "zone_of", .key = ifindex, .data = zone},
      {.set = "zones", .key = ifindex + zone},
      {.family = NftElement::Family::kInet,
       .set = "owner_of",
       .key = HostOrder(address),
       .data = HostOrder(binding.owner)}};
  if (local_access == LocalAccess::kOwner) {
    elements.push_back({.family = NftElement::Family::kInet,
                        .set = "local_users",
                        .key = HostOrder(address) + HostOrder(binding.owner)});
  }
  return elements;
}

}  // namespace svnet
