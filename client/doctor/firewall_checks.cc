// Whether the packet filters on the way let guests out and their answers in. A packet
// must pass all base chains of its hook, whoever made them.
#include <algorithm>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

constexpr char kNeedsRoot[] = "needs root";

// Whose a base chain is.
enum class Maker { kOurs, kDocker, kUfw, kFirewalld, kIptables, kOther };

bool HasChain(const std::vector<FilterChain>& chains, const FilterChain& of, const char* start) {
  return std::any_of(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return chain.family == of.family && chain.table == of.table &&
           absl::StartsWith(chain.name, start);
  });
}

// iptables' tools have one FORWARD chain together: it is whose own chains stand
// beside it. ufw first: with it, Docker's rules alone drop nothing.
Maker MakerOf(const Observed& observed, const FilterChain& base) {
  if (base.table == absl::StrCat("svnet-", observed.bridge)) return Maker::kOurs;
  if (base.table == "firewalld") return Maker::kFirewalld;
  if (base.name != "FORWARD" || base.table != "filter") return Maker::kOther;
  if (HasChain(*observed.nft, base, "ufw-")) return Maker::kUfw;
  if (HasChain(*observed.nft, base, "DOCKER")) return Maker::kDocker;
  return Maker::kIptables;
}

bool SeesForwarded(const FilterChain& chain) {
  const bool ipv4 = chain.family == "ip" || chain.family == "inet" || chain.family == "legacy";
  return chain.hook == "forward" && ipv4;
}

// "what guests send", "answers to guests", or "" if the chain lets both pass.
std::string WhatIsDropped(const Observed& observed, const std::vector<FilterChain>& chains,
                          const FilterChain& base) {
  const std::vector<const HostLink*> uplinks = Uplinks(observed);
  const std::string uplink = uplinks.empty() ? "the-uplink" : uplinks.front()->name;
  if (Drops(chains, base, {.from = observed.bridge, .to = uplink, .established = false})) {
    return "what guests send out";
  }
  if (Drops(chains, base, {.from = uplink, .to = observed.bridge, .established = true})) {
    return "the answers to guests";
  }
  return "";
}

// `fix` for a chain that drops.
Findings CheckMadeBy(const Observed& observed, Maker maker, const std::string& name,
                     const std::function<std::string(const FilterChain&)>& fix) {
  if (!observed.nft.ok()) {
    return NotChecked(absl::IsPermissionDenied(observed.nft.status())
                          ? kNeedsRoot
                          : std::string(observed.nft.status().message()));
  }
  Findings findings;
  bool found = false;
  for (const FilterChain& base : *observed.nft) {
    if (!SeesForwarded(base) || MakerOf(observed, base) != maker) continue;
    found = true;
    const std::string dropped = WhatIsDropped(observed, *observed.nft, base);
    if (dropped.empty()) continue;
    findings.push_back({Level::kProblem,
                        absl::StrCat(name, " drops ", dropped, " (chain ", base.name, " of table ",
                                     base.family, " ", base.table, ")"),
                        fix(base)});
  }
  if (!findings.empty()) return findings;
  return Ok(found ? absl::StrCat(name, " lets guests out") : absl::StrCat(name, " is not there"));
}

// svnetd's own rules drop what nobody behind the bridge has asked for, so that "to the
// bridge" need not say more.
std::string InsertInto(const char* program, const char* chain, const std::string& bridge) {
  return absl::StrCat(program, " -I ", chain, " -i ", bridge, " -j ACCEPT && ", program, " -I ",
                      chain, " -o ", bridge, " -j ACCEPT");
}

}  // namespace

Findings CheckOwnRules(const Observed& observed) {
  if (!observed.nft.ok()) return NotChecked(kNeedsRoot);
  if (FindLink(observed, observed.bridge) == nullptr) return NotChecked("there is no bridge yet");
  const bool masquerades =
      std::any_of(observed.nft->begin(), observed.nft->end(), [&](const FilterChain& chain) {
        return MakerOf(observed, chain) == Maker::kOurs && chain.hook == "postrouting" &&
               !chain.rules.empty();
      });
  if (masquerades) return Ok(absl::StrCat("table svnet-", observed.bridge, " stands"));
  return Problem(
      absl::StrCat("table inet svnet-", observed.bridge, " is gone: guests do not get out"),
      "systemctl restart svnetd");
}

Findings CheckDocker(const Observed& observed) {
  return CheckMadeBy(observed, Maker::kDocker, "Docker", [&](const FilterChain& base) {
    const bool has_users_chain = HasChain(*observed.nft, base, "DOCKER-USER");
    return InsertInto("iptables", has_users_chain ? "DOCKER-USER" : "FORWARD", observed.bridge);
  });
}

Findings CheckUfw(const Observed& observed) {
  return CheckMadeBy(observed, Maker::kUfw, "ufw", [&](const FilterChain&) {
    return absl::StrCat("ufw route allow in on ", observed.bridge, " && ufw route allow out on ",
                        observed.bridge);
  });
}

Findings CheckFirewalld(const Observed& observed) {
  return CheckMadeBy(observed, Maker::kFirewalld, "firewalld", [&](const FilterChain&) {
    return absl::StrCat("firewall-cmd --permanent --zone=trusted --add-interface=", observed.bridge,
                        " && firewall-cmd --reload");
  });
}

Findings CheckIptables(const Observed& observed) {
  return CheckMadeBy(observed, Maker::kIptables, "iptables", [&](const FilterChain&) {
    return InsertInto("iptables", "FORWARD", observed.bridge);
  });
}

Findings CheckOtherRules(const Observed& observed) {
  return CheckMadeBy(
      observed, Maker::kOther, "another table of nftables", [&](const FilterChain& base) {
        const std::string insert =
            absl::StrCat("nft insert rule ", base.family, " ", base.table, " ", base.name);
        return absl::StrCat(insert, " iifname ", observed.bridge, " accept && ", insert,
                            " oifname ", observed.bridge, " accept");
      });
}

Findings CheckLegacyIptables(const Observed& observed) {
  if (!observed.legacy.ok()) return NotChecked(kNeedsRoot);
  for (const FilterChain& base : *observed.legacy) {
    if (!SeesForwarded(base)) continue;
    const std::string dropped = WhatIsDropped(observed, *observed.legacy, base);
    if (dropped.empty()) continue;
    return Problem(absl::StrCat("iptables-legacy drops ", dropped),
                   InsertInto("iptables-legacy", "FORWARD", observed.bridge));
  }
  return Ok("iptables-legacy drops nothing of guests");
}

}  // namespace svnet::client
