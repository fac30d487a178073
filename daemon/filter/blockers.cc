#include "daemon/filter/blockers.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

bool HasBeside(const std::vector<FilterChain>& chains, const FilterChain& base,
               absl::string_view start) {
  return std::any_of(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return chain.IsBesides(base) && absl::StartsWith(chain.name, start);
  });
}

std::string TypeOf(const FilterChain& base) {
  return base.family == "legacy" ? absl::StrCat("iptables-legacy's table ", base.table)
                                 : absl::StrCat("table ", base.family, " ", base.table);
}

// svnetd's own rules drop what nobody behind the bridge has asked for, so that "to the
// bridge" need not say more.
std::string InsertInto(const FilterChain& base, absl::string_view chain,
                       const std::string& bridge) {
  const char* program = base.family == "legacy" ? "iptables-legacy" : "iptables";
  return absl::StrCat(program, " -I ", chain, " -i ", bridge, " -j ACCEPT && ", program, " -I ",
                      chain, " -o ", bridge, " -j ACCEPT");
}

std::string InsertInto(const FilterChain& base, const std::string& bridge) {
  const std::string insert =
      absl::StrCat("nft insert rule ", base.family, " ", base.table, " ", base.name);
  return absl::StrCat(insert, " iifname ", bridge, " accept && ", insert, " oifname ", bridge,
                      " accept");
}

}  // namespace

// iptables' tools have one FORWARD chain together: it is whose own chains stand beside
// it. ufw first: with it, Docker's rules alone drop nothing.
Maker MakerOf(const std::vector<FilterChain>& chains, const FilterChain& base,
              const std::string& bridge) {
  if (base.table == absl::StrCat("svnet-", bridge)) return Maker::kOurs;
  if (base.table == "firewalld") return Maker::kFirewalld;
  if (base.name != "FORWARD" || base.table != "filter") return Maker::kOther;
  if (HasBeside(chains, base, "ufw-")) return Maker::kUfw;
  if (HasBeside(chains, base, "DOCKER")) return Maker::kDocker;
  // With FirewallBackend=iptables.
  if (HasBeside(chains, base, "FORWARD_ZONES")) return Maker::kFirewalld;
  return Maker::kIptables;
}

absl::string_view NameOf(Maker maker) {
  switch (maker) {
    case Maker::kOurs:
      return "svnetd";
    case Maker::kDocker:
      return "Docker";
    case Maker::kUfw:
      return "ufw";
    case Maker::kFirewalld:
      return "firewalld";
    case Maker::kIptables:
      return "iptables";
    case Maker::kOther:
      break;
  }
  return "another table of nftables";
}

bool SeesForwarded(const FilterChain& chain) {
  const bool ipv4 = chain.family == "ip" || chain.family == "inet" || chain.family == "legacy";
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
    const Maker maker = MakerOf(chains, chain, bridge);
    if (maker == Maker::kOurs || !Filters(chain)) continue;
    return absl::StrCat(NameOf(maker), " (chain ", chain.name, " of ", TypeOf(chain), ")");
  }
  return std::nullopt;
}

bool IsForwardingFiltered(const std::vector<FilterChain>& chains) {
  return std::any_of(chains.begin(), chains.end(), [](const FilterChain& chain) {
    return Filters(chain) && !absl::StartsWith(chain.table, "svnet-");
  });
}

std::optional<Stopped> FindStopped(const std::vector<FilterChain>& chains, const FilterChain& base,
                                   const GuestNetwork& network) {
  const std::string uplink = network.uplink.empty() ? "the-uplink" : network.uplink;
  const auto sent =
      FindDrop(chains, base, {.from = network.bridge, .to = uplink, .established = false});
  if (sent.has_value()) return Stopped{.is_answer = false, .drop = *sent};
  const auto answer =
      FindDrop(chains, base, {.from = uplink, .to = network.bridge, .established = true});
  if (answer.has_value()) return Stopped{.is_answer = true, .drop = *answer};
  return std::nullopt;
}

std::string Blocker::Describe() const {
  const bool is_legacy_itself = maker == Maker::kIptables && base.family == "legacy";
  return absl::StrCat(is_legacy_itself ? "iptables-legacy" : NameOf(maker), " drops ",
                      stopped.is_answer ? "the answers to guests" : "what guests send out",
                      ": hook ", base.hook, ", chain ", stopped.drop.chain, " of ", TypeOf(base),
                      ", by ", stopped.drop.by_policy ? "its policy" : "a rule");
}

std::vector<Blocker> FindBlockers(const std::vector<FilterChain>& chains,
                                  const GuestNetwork& network) {
  std::vector<Blocker> blockers;
  for (const FilterChain& base : chains) {
    const Maker maker = MakerOf(chains, base, network.bridge);
    if (!SeesForwarded(base) || maker == Maker::kOurs) continue;
    const std::optional<Stopped> stopped = FindStopped(chains, base, network);
    if (stopped.has_value()) {
      blockers.push_back({.maker = maker, .base = base, .stopped = *stopped});
    }
  }
  return blockers;
}

std::string FixOf(const std::vector<FilterChain>& chains, const Blocker& blocker,
                  const std::string& bridge) {
  const FilterChain& base = blocker.base;
  switch (blocker.maker) {
    case Maker::kFirewalld:
      return absl::StrCat("firewall-cmd --permanent --zone=trusted --add-interface=", bridge,
                          " && firewall-cmd --reload");
    case Maker::kUfw:
      return absl::StrCat("ufw route allow in on ", bridge, " && ufw route allow out on ", bridge);
    case Maker::kDocker:
      if (FindBeside(chains, base, "DOCKER-USER") != nullptr) {
        return InsertInto(base, "DOCKER-USER", bridge);
      }
      return InsertInto(base, base.name, bridge);
    case Maker::kIptables:
      return InsertInto(base, base.name, bridge);
    case Maker::kOther:
    case Maker::kOurs:
      break;
  }
  return base.family == "legacy" ? InsertInto(base, base.name, bridge) : InsertInto(base, bridge);
}

bool IsManageable(Maker maker) {
  return maker == Maker::kDocker || maker == Maker::kUfw || maker == Maker::kFirewalld;
}

const FilterChain* FindBeside(const std::vector<FilterChain>& chains, const FilterChain& base,
                              absl::string_view name) {
  const auto found = std::find_if(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return chain.IsBesides(base) && chain.name == name;
  });
  return found == chains.end() ? nullptr : &*found;
}

}  // namespace svnet
