// Which base chains drop guest traffic. A packet must pass all base chains of its hook: an accept
// in one does not override a drop in another. All pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/base/link_name.h"
#include "daemon/base/network_name.h"
#include "daemon/foreign/filter_chain.h"
#include "daemon/foreign/guest_traffic.h"

namespace svnet {

// Which program owns a base chain.
enum class FirewallKind { kOurs, kDocker, kUfw, kFirewalld, kIptables, kOther };

// Where others' rules belong according to Docker
// (https://docs.docker.com/engine/network/packet-filtering-firewalls/).
inline constexpr char kDockerUserChain[] = "DOCKER-USER";

// A network of guests.
struct GuestNetwork {
  GuestTraffic guests;
  std::string uplink;  // the link that guests get out by; empty: unknown
  NetworkName name = {};
  // The bridge that svnetd's tables are named after, the default network's.
  LinkName tables = guests.bridge;
};

// Which program owns `base`, one of `chains`.
FirewallKind KindOf(const std::vector<FilterChain>& chains, const FilterChain& base,
                    const std::string& bridge);

// "Docker", "ufw", "firewalld", "iptables", "another nftables table".
absl::string_view NameOf(FirewallKind kind);

// Whether the chain sees IPv4 packets that the host forwards.
bool SeesForwarded(const FilterChain& chain);

// The first base chain of another program that filters what the host forwards, with rules or by its
// policy; nullopt: none. A chain of another svnetd counts.
std::optional<std::string> DescribeForwardFilter(const std::vector<FilterChain>& chains,
                                                 const std::string& bridge);
// Whether a program other than svnetd filters what the host forwards.
bool IsForwardingFiltered(const std::vector<FilterChain>& chains);

// The first guest traffic that `base` drops.
struct GuestDrop {
  bool hits_answer = false;  // drops answers to guests, not what they send
  FilterDrop where;
};
std::optional<GuestDrop> FindGuestDrop(const std::vector<FilterChain>& chains,
                                       const FilterChain& base, const GuestNetwork& network);

// A base chain that drops guest traffic.
struct BlockingChain {
  FirewallKind kind;
  FilterChain base;
  GuestDrop drop;
  // Which of the table's rules may look like accepts for guests, and are not; empty: none.
  std::string hint = "";

  // "Docker drops traffic from guests: hook forward, chain FORWARD of table ip filter, by
  // its policy".
  std::string Describe() const;
};
// Without svnetd's own chains.
std::vector<BlockingChain> FindBlockingChains(const std::vector<FilterChain>& chains,
                                              const GuestNetwork& network);

// Whether svnetd can add its accept rules (`manage_foreign_firewalls`): the program has an
// extension point for them.
bool IsManageable(FirewallKind kind);

// The chain of that name in the table of `base`; nullptr: none.
const FilterChain* FindInSameTable(const std::vector<FilterChain>& chains, const FilterChain& base,
                                   absl::string_view name);

}  // namespace svnet
