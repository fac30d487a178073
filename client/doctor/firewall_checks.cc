// Whether firewalls let guest traffic out and the answers in. A packet must pass all base chains
// of its hook, also those of other programs.
#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/doctor/checks.h"
#include "daemon/base/table_name.h"
#include "daemon/config/config.h"
#include "daemon/foreign/blocking_chains.h"
#include "daemon/foreign/guest_traffic.h"
#include "daemon/foreign/remedy.h"

namespace svnet::client {
namespace {

constexpr char kNeedsRoot[] = "needs root";
constexpr char kRestart[] = "systemctl restart svnetd";

// svnetd answers with names that it has checked.
GuestTraffic GuestsOf(const Observed& observed) {
  return {.kind = observed.IsRouted() ? NetworkKind::kRouted : NetworkKind::kBridge,
          .bridge = LinkName::Parse(observed.bridge).value_or(NetworkConfig().bridge),
          .prefix = observed.prefix};
}

GuestNetwork NetworkOf(const Observed& observed) {
  const std::vector<const HostLink*> uplinks = Uplinks(observed);
  const GuestTraffic guests = GuestsOf(observed);
  return {.guests = guests,
          .uplink = uplinks.empty() ? "" : uplinks.front()->name,
          .tables = LinkName::Parse(Bridges(observed).front()).value_or(guests.bridge)};
}

// svnetd's key follows the command as a shell comment.
Findings FindingsOf(const Observed& observed, const std::vector<FilterChain>& chains,
                    const std::function<bool(const BlockingChain&)>& is_meant) {
  Findings findings;
  for (const BlockingChain& blocking : FindBlockingChains(chains, NetworkOf(observed))) {
    if (!is_meant(blocking)) continue;
    std::string fix = RemedyFor(chains, blocking, GuestsOf(observed));
    if (IsManageable(blocking.kind)) {
      fix += "  # or manage_foreign_firewalls = true in svnetd.toml";
    }
    findings.push_back({Level::kProblem, blocking.Describe(), fix});
  }
  return findings;
}

Findings CheckMadeBy(const Observed& observed, FirewallKind kind) {
  if (!observed.nft.ok()) {
    return NotChecked(absl::IsPermissionDenied(observed.nft.status())
                          ? kNeedsRoot
                          : std::string(observed.nft.status().message()));
  }
  Findings findings = FindingsOf(observed, *observed.nft, [&](const BlockingChain& blocking) {
    return blocking.kind == kind;
  });
  if (!findings.empty()) return findings;
  const bool is_there =
      std::any_of(observed.nft->begin(), observed.nft->end(), [&](const FilterChain& chain) {
        return SeesForwarded(chain) && !IsSvnetTable(chain.table) &&
               KindOf(*observed.nft, chain, observed.bridge) == kind;
      });
  return Ok(is_there ? absl::StrCat(NameOf(kind), " lets guests out")
                     : absl::StrCat("there are no forward rules of ", NameOf(kind)));
}

// The chains of svnetd's tables that a packet of the network that is looked at may meet: those of
// the hooks, which all networks share, and the network's own.
std::vector<FilterChain> OwnChains(const Observed& observed) {
  const std::string first = Bridges(observed).front();
  const std::string prefix = OwnPrefix(observed);
  std::vector<FilterChain> chains;
  std::copy_if(observed.nft->begin(), observed.nft->end(), std::back_inserter(chains),
               [&](const FilterChain& chain) {
                 absl::string_view name = chain.name;
                 const bool is_own =
                     absl::ConsumePrefix(&name, prefix) && !absl::StrContains(name, '/');
                 return IsTableOf(chain.table, first) && (is_own || !chain.hook.empty());
               });
  return chains;
}

// Not those of the family `bridge`, which have chains of the same names.
bool IsOfOneNetwork(const FilterChain& chain) {
  return chain.family == "inet" && chain.hook.empty();
}

bool Masquerades(const FilterChain& chain) {
  return std::any_of(chain.rules.begin(), chain.rules.end(),
                     [](const FilterRule& rule) { return rule.masquerades; });
}

}  // namespace

// What a rule of svnetd's is for is not known here, unless it masquerades.
Findings CheckOwnRules(const Observed& observed) {
  if (!observed.nft.ok()) return NotChecked(kNeedsRoot);
  if (FindLink(observed, observed.bridge) == nullptr) return NotChecked("there is no bridge yet");
  const std::vector<FilterChain> chains = OwnChains(observed);
  const auto lost = std::find_if(chains.begin(), chains.end(),
                                 [](const FilterChain& chain) { return chain.rules.empty(); });
  if (lost != chains.end()) {
    return Problem(absl::StrCat("chain ", lost->name, " of table ", lost->family, " ", lost->table,
                                " has lost its rules"),
                   kRestart);
  }
  if (std::any_of(chains.begin(), chains.end(), IsOfOneNetwork) &&
      std::any_of(chains.begin(), chains.end(), Masquerades)) {
    return Ok(absl::StrCat("table inet ", chains.front().table, " has them"));
  }
  return Problem(absl::StrCat("rules are missing in table inet ",
                              TableName(Bridges(observed).front()), ": guests cannot get out"),
                 kRestart);
}

Findings CheckDocker(const Observed& observed) {
  return CheckMadeBy(observed, FirewallKind::kDocker);
}

Findings CheckUfw(const Observed& observed) { return CheckMadeBy(observed, FirewallKind::kUfw); }

Findings CheckFirewalld(const Observed& observed) {
  return CheckMadeBy(observed, FirewallKind::kFirewalld);
}

Findings CheckIptables(const Observed& observed) {
  return CheckMadeBy(observed, FirewallKind::kIptables);
}

Findings CheckOtherRules(const Observed& observed) {
  return CheckMadeBy(observed, FirewallKind::kOther);
}

Findings CheckLegacyIptables(const Observed& observed) {
  if (!observed.legacy.ok()) return NotChecked(kNeedsRoot);
  Findings findings =
      FindingsOf(observed, *observed.legacy, [](const BlockingChain&) { return true; });
  if (!findings.empty()) return findings;
  return Ok("iptables-legacy drops no guest traffic");
}

}  // namespace svnet::client
