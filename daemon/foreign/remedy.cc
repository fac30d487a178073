#include "daemon/foreign/remedy.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace svnet {
namespace {

// A rule for what goes to the bridge needs no more conditions: svnetd's own rules drop what no
// guest has asked for.
std::string InsertInto(const FilterChain& base, absl::string_view chain,
                       const std::string& bridge) {
  const char* program = base.family == kIptablesLegacyFamily ? "iptables-legacy" : "iptables";
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

std::string RemedyFor(const std::vector<FilterChain>& chains, const BlockingChain& blocking,
                      const GuestTraffic& guests) {
  const std::string& bridge = guests.bridge.text();
  const FilterChain& base = blocking.base;
  switch (blocking.kind) {
    case FirewallKind::kFirewalld:
      return absl::StrCat("firewall-cmd --permanent --zone=trusted --add-interface=", bridge,
                          " && firewall-cmd --reload");
    case FirewallKind::kUfw:
      return absl::StrCat("ufw route allow in on ", bridge, " && ufw route allow out on ", bridge);
    case FirewallKind::kDocker:
      if (FindInSameTable(chains, base, kDockerUserChain) != nullptr) {
        return InsertInto(base, kDockerUserChain, bridge);
      }
      return InsertInto(base, base.name, bridge);
    case FirewallKind::kIptables:
      return InsertInto(base, base.name, bridge);
    case FirewallKind::kOther:
    case FirewallKind::kOurs:
      break;
  }
  return base.family == kIptablesLegacyFamily ? InsertInto(base, base.name, bridge)
                                              : InsertInto(base, bridge);
}

}  // namespace svnet
