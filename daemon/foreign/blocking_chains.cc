#include "daemon/foreign/blocking_chains.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/table_name.h"

namespace svnet {
namespace {

bool HasInSameTable(const std::vector<FilterChain>& chains, const FilterChain& base,
                    absl::string_view start) {
  return std::any_of(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return chain.SameTable(base) && absl::StartsWith(chain.name, start);
  });
}

std::string TypeOf(const FilterChain& base) {
  return base.family == kIptablesLegacyFamily
             ? absl::StrCat("iptables-legacy's table ", base.table)
             : absl::StrCat("table ", base.family, " ", base.table);
}

}  // namespace

// The programs that use iptables share one FORWARD chain: their own chains in the table tell which
// one it is. ufw first: with it, Docker's rules alone drop nothing.
FirewallKind KindOf(const std::vector<FilterChain>& chains, const FilterChain& base,
                    const std::string& bridge) {
  if (IsTableOf(base.table, bridge)) return FirewallKind::kOurs;
  if (base.table == "firewalld") return FirewallKind::kFirewalld;
  if (base.name != "FORWARD" || base.table != "filter") return FirewallKind::kOther;
  if (HasInSameTable(chains, base, "ufw-")) return FirewallKind::kUfw;
  if (HasInSameTable(chains, base, "DOCKER")) return FirewallKind::kDocker;
  // firewalld with FirewallBackend=iptables.
  if (HasInSameTable(chains, base, "FORWARD_ZONES")) return FirewallKind::kFirewalld;
  return FirewallKind::kIptables;
}

absl::string_view NameOf(FirewallKind kind) {
  switch (kind) {
    case FirewallKind::kOurs:
      return "svnetd";
    case FirewallKind::kDocker:
      return "Docker";
    case FirewallKind::kUfw:
      return "ufw";
    case FirewallKind::kFirewalld:
      return "firewalld";
    case FirewallKind::kIptables:
      return "iptables";
    case FirewallKind::kOther:
      break;
  }
  return "another nftables table";
}

bool SeesForwarded(const FilterChain& chain) {
  const bool ipv4 =
      chain.family == "ip" || chain.family == "inet" || chain.family == kIptablesLegacyFamily;
  return chain.hook == "forward" && ipv4;
}

namespace {

bool Filters(const FilterChain& chain) {
  return SeesForwarded(chain) && (chain.drops_by_default || !chain.rules.empty());
}

}  // namespace

std::optional<std::string> DescribeForwardFilter(const std::vector<FilterChain>& chains,
                                                 const std::string& bridge) {
  for (const FilterChain& chain : chains) {
    const FirewallKind kind = KindOf(chains, chain, bridge);
    if (kind == FirewallKind::kOurs || !Filters(chain)) continue;
    return absl::StrCat(NameOf(kind), " (chain ", chain.name, " of ", TypeOf(chain), ")");
  }
  return std::nullopt;
}

bool IsForwardingFiltered(const std::vector<FilterChain>& chains) {
  return std::any_of(chains.begin(), chains.end(), [](const FilterChain& chain) {
    return Filters(chain) && !IsSvnetTable(chain.table);
  });
}

std::optional<GuestDrop> FindGuestDrop(const std::vector<FilterChain>& chains,
                                       const FilterChain& base, const GuestNetwork& network) {
  const std::string uplink = network.uplink.empty() ? "the-uplink" : network.uplink;
  const std::string guests = network.guests.Links();
  const std::optional<Ipv4Prefix> addresses = network.guests.Addresses();
  const auto sent = FindDrop(
      chains, base, {.from = guests, .to = uplink, .established = false, .source = addresses});
  if (sent.has_value()) return GuestDrop{.hits_answer = false, .where = *sent};
  const auto answer = FindDrop(
      chains, base, {.from = uplink, .to = guests, .established = true, .destination = addresses});
  if (answer.has_value()) return GuestDrop{.hits_answer = true, .where = *answer};
  return std::nullopt;
}

std::string BlockingChain::Describe() const {
  const bool is_legacy_itself =
      kind == FirewallKind::kIptables && base.family == kIptablesLegacyFamily;
  return absl::StrCat(is_legacy_itself ? "iptables-legacy" : NameOf(kind), " drops ",
                      drop.hits_answer ? "answers to guests" : "traffic from guests", ": hook ",
                      base.hook, ", chain ", drop.where.chain, " of ", TypeOf(base), ", by ",
                      drop.where.by_policy ? "its policy" : "a rule", hint);
}

namespace {

bool Names(const FilterRule& rule, const std::string& link) {
  return (rule.from == link && !rule.not_from) || (rule.to == link && !rule.not_to);
}

bool AcceptsAPartOf(const Ipv4Prefix& prefix, const FilterRule& rule) {
  const auto is_part = [&](const std::optional<Ipv4Prefix>& some) {
    return some.has_value() && some->length() > prefix.length() && prefix.Overlaps(*some);
  };
  return rule.verdict == FilterRule::Verdict::kAccept &&
         ((is_part(rule.source) && !rule.not_source) ||
          (is_part(rule.destination) && !rule.not_destination));
}

// For a routed network: what an operator may have written who knew it as a bridge, or for some of
// the guests.
std::string HintFor(const std::vector<FilterChain>& chains, const FilterChain& base,
                    const GuestTraffic& guests) {
  if (guests.kind == NetworkKind::kBridge) return "";
  bool names_bridge = false;
  bool accepts_some = false;
  for (const FilterChain& chain : chains) {
    if (!chain.SameTable(base)) continue;
    for (const FilterRule& rule : chain.rules) {
      names_bridge = names_bridge || Names(rule, guests.bridge.text());
      accepts_some = accepts_some || AcceptsAPartOf(guests.prefix, rule);
    }
  }
  return absl::StrCat(names_bridge ? absl::StrCat("; its rules for ", guests.bridge.text(),
                                                  " match no guest of a routed network")
                                   : "",
                      accepts_some ? absl::StrCat("; it has accepts for a part of ",
                                                  guests.prefix.ToString(), " only")
                                   : "");
}

}  // namespace

std::vector<BlockingChain> FindBlockingChains(const std::vector<FilterChain>& chains,
                                              const GuestNetwork& network) {
  std::vector<BlockingChain> blocking;
  for (const FilterChain& base : chains) {
    const FirewallKind kind = KindOf(chains, base, network.tables.text());
    if (!SeesForwarded(base) || kind == FirewallKind::kOurs) continue;
    const std::optional<GuestDrop> drop = FindGuestDrop(chains, base, network);
    if (drop.has_value()) {
      blocking.push_back({.kind = kind,
                          .base = base,
                          .drop = *drop,
                          .hint = HintFor(chains, base, network.guests)});
    }
  }
  return blocking;
}

bool IsManageable(FirewallKind kind) {
  return kind == FirewallKind::kDocker || kind == FirewallKind::kUfw ||
         kind == FirewallKind::kFirewalld;
}

const FilterChain* FindInSameTable(const std::vector<FilterChain>& chains, const FilterChain& base,
                                   absl::string_view name) {
  const auto found = std::find_if(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return chain.SameTable(base) && chain.name == name;
  });
  return found == chains.end() ? nullptr : &*found;
}

}  // namespace svnet
