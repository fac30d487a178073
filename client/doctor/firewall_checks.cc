// Whether firewalls let guest traffic out and the answers in. A packet must pass all base chains
// of its hook, also those of other programs.
#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"
#include "daemon/base/table_name.h"
#include "daemon/config/config.h"
#include "daemon/foreign/blocking_chains.h"
#include "daemon/foreign/guest_traffic.h"
#include "daemon/foreign/remedy.h"

namespace svnet::client {
namespace {

constexpr char kNeedsRoot[] = "needs root";

// svnetd answers with names that it has checked.
GuestTraffic GuestsOf(const Observed& observed) {
  return {.kind = observed.IsRouted() ? NetworkKind::kRouted : NetworkKind::kBridge,
          .bridge = LinkName::Parse(observed.bridge).value_or(NetworkConfig().bridge),
          .prefix = observed.prefix};
}

GuestNetwork NetworkOf(const Observed& observed) {
  const std::vector<const HostLink*> uplinks = Uplinks(observed);
  return {.guests = GuestsOf(observed), .uplink = uplinks.empty() ? "" : uplinks.front()->name};
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

}  // namespace

Findings CheckOwnRules(const Observed& observed) {
  if (!observed.nft.ok()) return NotChecked(kNeedsRoot);
  if (FindLink(observed, observed.bridge) == nullptr) return NotChecked("there is no bridge yet");
  const std::string first = Bridges(observed).front();
  // The table of the family `bridge` also has such a chain, which masquerades nothing.
  const auto masquerade =
      std::find_if(observed.nft->begin(), observed.nft->end(), [&](const FilterChain& chain) {
        return IsTableOf(chain.table, first) && chain.family == "inet" &&
               chain.hook == "postrouting" && !chain.rules.empty();
      });
  if (masquerade != observed.nft->end()) {
    return Ok(absl::StrCat("table ", masquerade->table, " exists"));
  }
  return Problem(
      absl::StrCat("table inet ", TableName(first), " is missing: guests cannot get out"),
      "systemctl restart svnetd");
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
