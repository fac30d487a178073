#include "daemon/network/coexistence_plan.h"

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

// Where Docker says that others' rules belong
// (https://docs.docker.com/engine/network/packet-filtering-firewalls/), and where
// `ufw route` puts its own.
constexpr char kDockersPlace[] = "DOCKER-USER";
constexpr char kUfwsPlace[] = "ufw-user-forward";

// How the names of Docker's bridges begin, unless its user has chosen another.
constexpr std::array kDockerNames = {"docker", "br-"};

// Which firewalld gives the zone, with FirewallBackend=nftables and =iptables.
constexpr char kZonesChain[] = "filter_FWD_svnet";
constexpr char kZonesIptablesChain[] = "FWD_svnet";

bool IsInZone(const Chains& chains, const std::string& bridge) {
  return std::any_of(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return std::any_of(chain.rules.begin(), chain.rules.end(), [&](const FilterRule& rule) {
      return rule.from == bridge &&
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

// svnetd's own rules drop what nobody behind the bridge has asked for, so that "to the
// bridge" need not say more.
std::vector<FilterRule> AcceptsFor(const GuestNetwork& network,
                                   const std::set<std::string>& docker_bridges,
                                   const std::string& tag) {
  std::vector<FilterRule> rules;
  const auto add = [&](const std::string& from, const std::string& to, Verdict verdict) {
    rules.push_back({.from = from, .to = to, .verdict = verdict, .target = "", .comment = tag});
  };
  // A host's own bridge may be called br-lan. Docker's never lead to the default gateway.
  if (IsDockerName(network.uplink)) add(network.bridge, network.uplink, Verdict::kAccept);
  for (const char* start : kDockerNames) {
    add(network.bridge, absl::StrCat(start, "+"), Verdict::kReturn);
  }
  for (const std::string& docker : docker_bridges) add(network.bridge, docker, Verdict::kReturn);
  add(network.bridge, "", Verdict::kAccept);
  add("", network.bridge, Verdict::kAccept);
  return rules;
}

// The chains that should hold rules of ours, by where they are in `bare`, which has none.
std::map<size_t, std::vector<FilterRule>> PickPlaces(const Chains& bare,
                                                     const GuestNetwork& network,
                                                     const std::vector<FilterRule>& rules) {
  std::map<size_t, std::vector<FilterRule>> places;
  for (const Blocker& blocker : FindBlockers(bare, network)) {
    if (!IsManageable(blocker.maker)) continue;
    for (const char* name : {kDockersPlace, kUfwsPlace}) {
      const FilterChain* place = FindBeside(bare, blocker.base, name);
      if (place == nullptr) continue;
      const size_t at = place - bare.data();
      Chains with = bare;
      InsertOurs(with[at], rules);
      if (FindStopped(with, blocker.base, network).has_value()) continue;
      places[at] = rules;
      break;
    }
  }
  return places;
}

CoexistencePlan::Zone PlanZone(const Chains& chains, const GuestNetwork& network, bool admit) {
  const bool is_in = IsInZone(chains, network.bridge);
  if (!admit) return is_in ? CoexistencePlan::Zone::kLeave : CoexistencePlan::Zone::kAsItIs;
  const std::vector<Blocker> blockers = FindBlockers(chains, network);
  const bool blocks = std::any_of(blockers.begin(), blockers.end(), [](const Blocker& blocker) {
    return blocker.maker == Maker::kFirewalld;
  });
  return blocks && !is_in ? CoexistencePlan::Zone::kJoin : CoexistencePlan::Zone::kAsItIs;
}

}  // namespace

std::string Placement::Describe() const {
  return absl::StrCat(chain.name == kUfwsPlace ? "ufw" : "Docker", " (chain ", chain.name, " of ",
                      chain.family == "legacy" ? "iptables-legacy's table " : "table ip ",
                      chain.table, ")");
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

CoexistencePlan PlanCoexistence(const std::vector<FilterChain>& chains, const GuestNetwork& network,
                                const std::set<std::string>& docker_bridges, const std::string& tag,
                                bool admit) {
  CoexistencePlan plan = {.placements = {}, .zone = PlanZone(chains, network, admit)};
  const Chains bare = WithoutOurs(chains, tag);
  std::map<size_t, std::vector<FilterRule>> places;
  if (admit) places = PickPlaces(bare, network, AcceptsFor(network, docker_bridges, tag));
  for (size_t i = 0; i < chains.size(); ++i) {
    FilterChain wanted = bare[i];
    InsertOurs(wanted, places[i]);
    if (WithoutHandles(wanted) == WithoutHandles(chains[i])) continue;
    plan.placements.push_back({.chain = chains[i], .rules = places[i]});
  }
  return plan;
}

}  // namespace svnet
