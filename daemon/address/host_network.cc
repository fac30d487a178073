#include "daemon/address/host_network.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

// Shorter prefixes say "everywhere", not "there".
constexpr int kShortestSpecificPrefix = 2;

const Link* FindByIndex(const std::vector<Link>& links, Ifindex ifindex) {
  const auto link = std::find_if(links.begin(), links.end(), [&](const Link& candidate) {
    return candidate.ifindex == ifindex;
  });
  return link == links.end() ? nullptr : &*link;
}

std::string NameOf(const std::vector<Link>& links, Ifindex ifindex) {
  const Link* link = FindByIndex(links, ifindex);
  return link == nullptr ? absl::StrCat("number ", ifindex) : link->name;
}

}  // namespace

std::optional<std::string> FindConflict(const HostNetwork& host, const Ipv4Prefix& prefix,
                                        Ifindex bridge) {
  for (const LinkAddress& address : host.addresses) {
    if (address.ifindex == bridge) continue;
    if (address.prefix.Overlaps(prefix) || prefix.Contains(address.address)) {
      return absl::StrCat("the address ", address.address.ToString(), "/", address.prefix.length(),
                          " of link ", NameOf(host.links, address.ifindex));
    }
  }
  for (const Route& route : host.routes) {
    if (route.ifindex == bridge || route.destination.length() < kShortestSpecificPrefix) continue;
    if (route.destination.Overlaps(prefix)) {
      return absl::StrCat("the route ", route.destination.ToString(), " by link ",
                          NameOf(host.links, route.ifindex));
    }
  }
  return std::nullopt;
}

std::vector<const Link*> FindUplinks(const HostNetwork& host) {
  std::multimap<uint32_t, Ifindex> defaults;  // by metric; of one metric, as they are listed
  for (const Route& route : host.routes) {
    if (route.table == RT_TABLE_MAIN && route.destination.length() == 0) {
      defaults.emplace(route.metric, route.ifindex);
    }
  }
  std::vector<const Link*> uplinks;
  for (const auto& [metric, ifindex] : defaults) {
    const Link* link = FindByIndex(host.links, ifindex);
    const bool known = std::find(uplinks.begin(), uplinks.end(), link) != uplinks.end();
    if (link != nullptr && !known) uplinks.push_back(link);
  }
  return uplinks;
}

}  // namespace svnet
