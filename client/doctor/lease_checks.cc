// TAPs that no VMM uses or svnetd does not know, and other programs that manage them.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/doctor/checks.h"
#include "daemon/base/link_name.h"
#include "daemon/lease/names.h"

namespace svnet::client {
namespace {

// svnetd destroys it soon.
bool IsRetired(const Observed& observed, const HostLink& link) {
  const auto& networks = observed.svnetd.networks;
  return std::any_of(networks.begin(), networks.end(), [&](const auto& network) {
    const absl::StatusOr<LinkName> bridge = LinkName::Parse(network.bridge());
    if (!bridge.ok()) return false;
    const bool routed = network.kind() == v1::NETWORK_KIND_ROUTED;
    const uint32_t group = routed ? DeriveRoutedGroup(*bridge) : DeriveLinkGroup(*bridge);
    return RetiredGroupNumber(group, link.group).has_value();
  });
}

bool IsLease(const Observed& observed, const std::string& tap) {
  const auto& taps = observed.svnetd.taps;
  return std::any_of(taps.begin(), taps.end(),
                     [&](const v1::Tap& each) { return each.tap_name() == tap; });
}

// Our links whose file of `folder`, named by ifindex, has `sign` in it.
std::vector<std::string> FindManaged(const Observed& observed, const std::string& folder,
                                     const std::string& sign) {
  std::vector<std::string> names;
  for (const HostLink& link : observed.links) {
    if (!IsOurs(observed, link)) continue;
    const auto text = observed.host.ReadFile(absl::StrCat(folder, link.ifindex));
    if (text.ok() && absl::StrContains("\n" + *text, sign)) names.push_back(link.name);
  }
  return names;
}

}  // namespace

Findings CheckUnattached(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  std::vector<std::string> names;
  for (const v1::Tap& tap : observed.svnetd.taps) {
    if (!IsOnSubject(observed, tap)) continue;
    if (!tap.attached() && !tap.lifetime().has_process()) names.push_back(tap.tap_name());
  }
  if (names.empty()) return Ok("every persistent TAP is in use");
  return Warning(
      absl::StrCat("no VMM has ", NameSome(names),
                   " open: boot a VM on it or remove it; a persistent TAP is never "
                   "removed automatically"),
      absl::StrCat("svnetctl remove --tap ", names.front(),
                   names.size() > 1 ? "  # and each other one that no VM will use" : ""));
}

Findings CheckNotAdopted(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  if (observed.host.Caller().uid != 0) return NotChecked("needs root, who sees all leases");
  Findings findings;
  for (const HostLink& link : observed.links) {
    if (IsBridge(observed, link) || !IsOurs(observed, link)) continue;
    if (IsLease(observed, link.name) || IsRetired(observed, link)) continue;
    findings.push_back({Level::kWarning,
                        absl::StrCat("link ", link.name, " has an alias of svnet (\"", link.alias,
                                     "\"), but svnetd does not know it"),
                        absl::StrCat("ip link delete ", link.name)});
  }
  return findings.empty() ? Ok("svnetd knows all of its TAPs") : findings;
}

Findings CheckNetworkd(const Observed& observed) {
  const auto managed = FindManaged(observed, "/run/systemd/netif/links/", "\nNETWORK_FILE=");
  if (managed.empty()) return Ok("systemd-networkd leaves svnet's links alone");
  return Warning(absl::StrCat("systemd-networkd manages ", NameSome(managed),
                              ": it may remove their addresses and settings"),
                 absl::StrCat("printf '[Match]\\nKind=bridge tun\\nName=",
                              absl::StrJoin(Bridges(observed), " "),
                              " sv*\\n[Link]\\nUnmanaged=yes\\n' > "
                              "/etc/systemd/network/05-svnet.network && networkctl reload"));
}

Findings CheckNetworkManager(const Observed& observed) {
  const auto managed = FindManaged(observed, "/run/NetworkManager/devices/", "\nmanaged=true");
  if (managed.empty()) return Ok("NetworkManager leaves svnet's links alone");
  return Warning(
      absl::StrCat("NetworkManager manages ", NameSome(managed),
                   ": it may remove their addresses and settings"),
      absl::StrCat("printf '[keyfile]\\nunmanaged-devices=interface-name:",
                   absl::StrJoin(Bridges(observed), ";interface-name:"),
                   ";interface-name:sv*;"
                   "except:type:ethernet;except:type:wifi;except:type:veth;except:type:vlan\\n' > "
                   "/etc/NetworkManager/conf.d/90-svnet.conf && nmcli general reload"));
}

}  // namespace svnet::client
