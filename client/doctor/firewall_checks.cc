// Whether the packet filters on the way let guests out and their answers in. A packet
// must pass all base chains of its hook, whoever made them.
#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"
#include "daemon/filter/blockers.h"

namespace svnet::client {
namespace {

constexpr char kNeedsRoot[] = "needs root";

GuestNetwork NetworkOf(const Observed& observed) {
  const std::vector<const HostLink*> uplinks = Uplinks(observed);
  return {.bridge = observed.bridge, .uplink = uplinks.empty() ? "" : uplinks.front()->name};
}

// The words of svnetd's key stand behind the command, as a remark of the shell's.
Findings FindingsOf(const Observed& observed, const std::vector<FilterChain>& chains,
                    const std::function<bool(const Blocker&)>& is_meant) {
  Findings findings;
  for (const Blocker& blocker : FindBlockers(chains, NetworkOf(observed))) {
    if (!is_meant(blocker)) continue;
    std::string fix = FixOf(chains, blocker, observed.bridge);
    if (IsManageable(blocker.maker)) {
      fix += "  # or manage_foreign_firewalls = true in svnetd.toml";
    }
    findings.push_back({Level::kProblem, blocker.Describe(), fix});
  }
  return findings;
}

Findings CheckMadeBy(const Observed& observed, Maker maker) {
  if (!observed.nft.ok()) {
    return NotChecked(absl::IsPermissionDenied(observed.nft.status())
                          ? kNeedsRoot
                          : std::string(observed.nft.status().message()));
  }
  Findings findings = FindingsOf(observed, *observed.nft,
                                 [&](const Blocker& blocker) { return blocker.maker == maker; });
  if (!findings.empty()) return findings;
  const bool is_there =
      std::any_of(observed.nft->begin(), observed.nft->end(), [&](const FilterChain& chain) {
        return SeesForwarded(chain) && MakerOf(*observed.nft, chain, observed.bridge) == maker;
      });
  return Ok(absl::StrCat(NameOf(maker), is_there ? " lets guests out" : " is not there"));
}

}  // namespace

Findings CheckOwnRules(const Observed& observed) {
  if (!observed.nft.ok()) return NotChecked(kNeedsRoot);
  if (FindLink(observed, observed.bridge) == nullptr) return NotChecked("there is no bridge yet");
  // The table of the family `bridge` has such a chain, too, and masquerades nothing.
  const bool masquerades =
      std::any_of(observed.nft->begin(), observed.nft->end(), [&](const FilterChain& chain) {
        return MakerOf(*observed.nft, chain, observed.bridge) == Maker::kOurs &&
               chain.family == "inet" && chain.hook == "postrouting" && !chain.rules.empty();
      });
  if (masquerades) return Ok(absl::StrCat("table svnet-", observed.bridge, " stands"));
  return Problem(
      absl::StrCat("table inet svnet-", observed.bridge, " is gone: guests do not get out"),
      "systemctl restart svnetd");
}

Findings CheckDocker(const Observed& observed) { return CheckMadeBy(observed, Maker::kDocker); }

Findings CheckUfw(const Observed& observed) { return CheckMadeBy(observed, Maker::kUfw); }

Findings CheckFirewalld(const Observed& observed) {
  return CheckMadeBy(observed, Maker::kFirewalld);
}

Findings CheckIptables(const Observed& observed) { return CheckMadeBy(observed, Maker::kIptables); }

Findings CheckOtherRules(const Observed& observed) { return CheckMadeBy(observed, Maker::kOther); }

Findings CheckLegacyIptables(const Observed& observed) {
  if (!observed.legacy.ok()) return NotChecked(kNeedsRoot);
  Findings findings = FindingsOf(observed, *observed.legacy, [](const Blocker&) { return true; });
  if (!findings.empty()) return findings;
  return Ok("iptables-legacy drops nothing of guests");
}

}  // namespace svnet::client
