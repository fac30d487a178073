#include "daemon/network/coexistence_plan.h"

#include <algorithm>
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

// The bridges of Docker's networks: it sends what goes there to its chain DOCKER.
std::set<std::string> DockersBridges(const Chains& chains, const FilterChain& place) {
  std::set<std::string> bridges;
  for (const FilterChain& chain : chains) {
    if (!chain.IsBesides(place)) continue;
    for (const FilterRule& rule : chain.rules) {
      const bool is_one = rule.target == "DOCKER" && !rule.to.empty() && !rule.not_to &&
                          !absl::EndsWith(rule.to, "+");
      if (is_one) bridges.insert(rule.to);
    }
  }
  return bridges;
}

// What goes to a container stays Docker's decision. svnetd's own rules drop what nobody
// behind the bridge has asked for, so that "to the bridge" need not say more.
std::vector<FilterRule> AcceptsFor(const Chains& chains, const FilterChain& place,
                                   const std::string& bridge, const std::string& tag) {
  std::vector<FilterRule> rules;
  for (const std::string& dockers : DockersBridges(chains, place)) {
    rules.push_back(
        {.from = bridge, .to = dockers, .verdict = Verdict::kReturn, .target = "", .comment = tag});
  }
  rules.push_back(
      {.from = bridge, .to = "", .verdict = Verdict::kAccept, .target = "", .comment = tag});
  rules.push_back(
      {.from = "", .to = bridge, .verdict = Verdict::kAccept, .target = "", .comment = tag});
  return rules;
}

// The chains that should hold rules of ours, by where they are in `bare`, which has none.
std::map<size_t, std::vector<FilterRule>> PickPlaces(const Chains& bare,
                                                     const GuestNetwork& network,
                                                     const std::string& tag) {
  std::map<size_t, std::vector<FilterRule>> places;
  for (const Blocker& blocker : FindBlockers(bare, network)) {
    if (!IsManageable(blocker.maker)) continue;
    for (const char* name : {kDockersPlace, kUfwsPlace}) {
      const FilterChain* place = FindBeside(bare, blocker.base, name);
      if (place == nullptr) continue;
      const size_t at = place - bare.data();
      const std::vector<FilterRule> rules = AcceptsFor(bare, *place, network.bridge, tag);
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

CoexistencePlan PlanCoexistence(const std::vector<FilterChain>& chains, const GuestNetwork& network,
                                const std::string& tag, bool admit) {
  CoexistencePlan plan = {.placements = {}, .zone = PlanZone(chains, network, admit)};
  const Chains bare = WithoutOurs(chains, tag);
  std::map<size_t, std::vector<FilterRule>> places;
  if (admit) places = PickPlaces(bare, network, tag);
  for (size_t i = 0; i < chains.size(); ++i) {
    FilterChain wanted = bare[i];
    InsertOurs(wanted, places[i]);
    if (WithoutHandles(wanted) == WithoutHandles(chains[i])) continue;
    plan.placements.push_back({.chain = chains[i], .rules = places[i]});
  }
  return plan;
}

}  // namespace svnet
