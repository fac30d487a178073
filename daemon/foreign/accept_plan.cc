#include "daemon/foreign/accept_plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

using Verdict = FilterRule::Verdict;
using Chains = std::vector<FilterChain>;

// Where `ufw route` puts its rules.
constexpr char kUfwUserChain[] = "ufw-user-forward";

// Prefixes of the names that Docker itself gives its bridges.
constexpr std::array kDockerNames = {"docker", "br-"};

// firewalld's chains of the zone, with FirewallBackend=nftables and =iptables.
constexpr char kZonesChain[] = "filter_FWD_svnet";
constexpr char kZonesIptablesChain[] = "FWD_svnet";

bool IsFor(const FilterRule& rule, const ZoneMember& member) {
  if (member.kind == ZoneMember::Kind::kInterface) return rule.from == member.text;
  return rule.source.has_value() && rule.source->ToString() == member.text;
}

bool IsInZone(const Chains& chains, const ZoneMember& member) {
  return std::any_of(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return std::any_of(chain.rules.begin(), chain.rules.end(), [&](const FilterRule& rule) {
      return IsFor(rule, member) &&
             (rule.target == kZonesChain || rule.target == kZonesIptablesChain);
    });
  });
}

FilterChain WithoutHandles(FilterChain chain) {
  for (FilterRule& rule : chain.rules) rule.handle = 0;
  return chain;
}

Chains WithoutOurs(Chains chains, const std::string& tag) {
  for (FilterChain& chain : chains) {
    std::erase_if(chain.rules, [&](const FilterRule& rule) { return rule.comment == tag; });
  }
  return chains;
}

void InsertOurs(FilterChain& chain, const std::vector<FilterRule>& rules) {
  const auto end = std::find_if(chain.rules.begin(), chain.rules.end(), [](const FilterRule& rule) {
    return rule.verdict == Verdict::kReturn && rule.IsUnconditional();
  });
  chain.rules.insert(end, rules.begin(), rules.end());
}

bool IsWholeName(const std::string& name) {
  return !name.empty() && !absl::EndsWith(name, "+") && !IsDockerName(name);
}

// A rule for what goes to guests needs no more conditions: svnetd's own rules drop what no guest
// has asked for. A rule for what comes from them never has addresses alone: somebody outside can
// send with these.
std::vector<FilterRule> AcceptsFor(const GuestNetwork& network,
                                   const std::set<std::string>& docker_bridges,
                                   const std::string& tag) {
  const std::string guests = network.guests.Links();
  const std::optional<Ipv4Prefix> addresses = network.guests.Addresses();
  std::vector<FilterRule> rules;
  const auto add = [&](const std::string& to, Verdict verdict) {
    rules.push_back({.from = guests,
                     .to = to,
                     .source = addresses,
                     .verdict = verdict,
                     .target = "",
                     .comment = tag});
  };
  // The host's own bridge may be called br-lan; Docker's bridges never lead to the default gateway.
  if (IsDockerName(network.uplink)) add(network.uplink, Verdict::kAccept);
  for (const char* start : kDockerNames) {
    add(absl::StrCat(start, "+"), Verdict::kReturn);
  }
  for (const std::string& docker : docker_bridges) add(docker, Verdict::kReturn);
  add("", Verdict::kAccept);
  rules.push_back({.from = "",
                   .to = guests,
                   .destination = addresses,
                   .verdict = Verdict::kAccept,
                   .target = "",
                   .comment = tag});
  return rules;
}

// Adds to `places`, by index in `bare`, which has none of svnetd's rules, those that let the
// network's guests through.
void AddPlacements(const Chains& bare, const GuestNetwork& network,
                   const std::vector<FilterRule>& rules,
                   std::map<size_t, std::vector<FilterRule>>* places) {
  std::set<size_t> chosen;
  for (const BlockingChain& blocking : FindBlockingChains(bare, network)) {
    if (!IsManageable(blocking.kind)) continue;
    for (const char* name : {kDockerUserChain, kUfwUserChain}) {
      const FilterChain* place = FindInSameTable(bare, blocking.base, name);
      if (place == nullptr) continue;
      const size_t at = place - bare.data();
      Chains with = bare;
      InsertOurs(with[at], rules);
      if (FindGuestDrop(with, blocking.base, network).has_value()) continue;
      chosen.insert(at);
      break;
    }
  }
  for (const size_t at : chosen) {
    (*places)[at].insert((*places)[at].end(), rules.begin(), rules.end());
  }
}

bool FirewalldBlocks(const Chains& chains, const GuestNetwork& network) {
  const std::vector<BlockingChain> blocking = FindBlockingChains(chains, network);
  return std::any_of(blocking.begin(), blocking.end(), [](const BlockingChain& each) {
    return each.kind == FirewallKind::kFirewalld;
  });
}

// A routed network's guests have no link that could be in a zone. An earlier svnetd, for which the
// network was of the other kind, may have put the other one there.
void PlanZone(const Chains& chains, const GuestNetwork& network, bool admit, AcceptPlan* plan) {
  const ZoneMember link = {ZoneMember::Kind::kInterface, network.guests.bridge.text()};
  const ZoneMember source = {ZoneMember::Kind::kSource, network.guests.prefix.ToString()};
  const ZoneMember& wanted = network.guests.kind == NetworkKind::kBridge ? link : source;
  if (admit) {
    if (IsInZone(chains, wanted) || !FirewalldBlocks(chains, network)) return;
    plan->join.push_back(wanted);
  }
  for (const ZoneMember& member : {link, source}) {
    if (IsInZone(chains, member)) plan->leave.push_back(member);
  }
}

}  // namespace

std::string Placement::Describe() const {
  return absl::StrCat(
      chain.name == kUfwUserChain ? "ufw" : "Docker", " (chain ", chain.name, " of ",
      chain.family == kIptablesLegacyFamily ? "iptables-legacy's table " : "table ip ", chain.table,
      ")");
}

bool IsDockerName(const std::string& link) {
  return std::any_of(kDockerNames.begin(), kDockerNames.end(),
                     [&](const char* start) { return absl::StartsWith(link, start); });
}

std::set<std::string> FindDockerBridges(const std::vector<FilterChain>& chains) {
  std::set<std::string> bridges;
  for (const FilterChain& chain : chains) {
    for (const FilterRule& rule : chain.rules) {
      if (rule.target == "DOCKER" && !rule.not_to && IsWholeName(rule.to)) bridges.insert(rule.to);
    }
  }
  return bridges;
}

std::set<std::string> FindReturnedBridges(const std::vector<FilterChain>& chains,
                                          const std::string& tag) {
  std::set<std::string> bridges;
  for (const FilterChain& chain : chains) {
    for (const FilterRule& rule : chain.rules) {
      const bool is_ours = rule.comment == tag && rule.verdict == Verdict::kReturn;
      if (is_ours && IsWholeName(rule.to)) bridges.insert(rule.to);
    }
  }
  return bridges;
}

AcceptPlan PlanAccepts(const std::vector<FilterChain>& chains,
                       const std::vector<GuestNetwork>& admitted,
                       const std::vector<GuestNetwork>& others,
                       const std::set<std::string>& docker_bridges, const std::string& tag) {
  AcceptPlan plan;
  const Chains bare = WithoutOurs(chains, tag);
  std::map<size_t, std::vector<FilterRule>> places;
  for (const GuestNetwork& network : admitted) {
    PlanZone(chains, network, true, &plan);
    AddPlacements(bare, network, AcceptsFor(network, docker_bridges, tag), &places);
  }
  for (const GuestNetwork& network : others) PlanZone(chains, network, false, &plan);
  for (size_t i = 0; i < chains.size(); ++i) {
    FilterChain wanted = bare[i];
    InsertOurs(wanted, places[i]);
    if (WithoutHandles(wanted) == WithoutHandles(chains[i])) continue;
    plan.placements.push_back({.chain = chains[i], .rules = places[i]});
  }
  return plan;
}

}  // namespace svnet
