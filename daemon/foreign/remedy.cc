#include "daemon/foreign/remedy.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace svnet {
namespace {

bool IsBridge(const GuestTraffic& guests) { return guests.kind == NetworkKind::kBridge; }

// Rules for what goes to the bridge need no more conditions: svnetd's own rules drop what no guest
// has asked for. Neither do those of ufw, which accepts answers before them.
std::string InsertInto(const FilterChain& base, absl::string_view chain,
                       const GuestTraffic& guests) {
  const char* program = base.family == kIptablesLegacyFamily ? "iptables-legacy" : "iptables";
  const std::string insert = absl::StrCat(program, " -I ", chain);
  const std::string& bridge = guests.bridge.text();
  if (IsBridge(guests)) {
    return absl::StrCat(insert, " -i ", bridge, " -j ACCEPT && ", insert, " -o ", bridge,
                        " -j ACCEPT");
  }
  const std::string prefix = guests.prefix.ToString();
  return absl::StrCat(insert, " -s ", prefix, " -i ", kTapNames, " -j ACCEPT && ", insert, " -d ",
                      prefix, " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
}

std::string InsertInto(const FilterChain& base, const GuestTraffic& guests) {
  const std::string insert =
      absl::StrCat("nft insert rule ", base.family, " ", base.table, " ", base.name);
  const std::string& bridge = guests.bridge.text();
  if (IsBridge(guests)) {
    return absl::StrCat(insert, " iifname ", bridge, " accept && ", insert, " oifname ", bridge,
                        " accept");
  }
  const std::string prefix = guests.prefix.ToString();
  return absl::StrCat(insert, " iifname 'sv*' ip saddr ", prefix, " accept && ", insert,
                      " ip daddr ", prefix, " ct state established,related accept");
}

std::string UfwCommands(const GuestTraffic& guests) {
  const std::string& bridge = guests.bridge.text();
  if (IsBridge(guests)) {
    return absl::StrCat("ufw route allow in on ", bridge, " && ufw route allow out on ", bridge);
  }
  const std::string prefix = guests.prefix.ToString();
  return absl::StrCat("ufw route allow in on ", kTapNames, " from ", prefix,
                      " && ufw route allow out on ", kTapNames, " to ", prefix);
}

}  // namespace

std::string RemedyFor(const std::vector<FilterChain>& chains, const BlockingChain& blocking,
                      const GuestTraffic& guests) {
  const FilterChain& base = blocking.base;
  switch (blocking.kind) {
    case FirewallKind::kFirewalld:
      return absl::StrCat("firewall-cmd --permanent --zone=trusted ",
                          IsBridge(guests)
                              ? absl::StrCat("--add-interface=", guests.bridge.text())
                              : absl::StrCat("--add-source=", guests.prefix.ToString()),
                          " && firewall-cmd --reload");
    case FirewallKind::kUfw:
      return UfwCommands(guests);
    case FirewallKind::kDocker:
      if (FindInSameTable(chains, base, kDockerUserChain) != nullptr) {
        return InsertInto(base, kDockerUserChain, guests);
      }
      return InsertInto(base, base.name, guests);
    case FirewallKind::kIptables:
      return InsertInto(base, base.name, guests);
    case FirewallKind::kOther:
    case FirewallKind::kOurs:
      break;
  }
  return base.family == kIptablesLegacyFamily ? InsertInto(base, base.name, guests)
                                              : InsertInto(base, guests);
}

}  // namespace svnet
