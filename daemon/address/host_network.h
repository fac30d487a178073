// What the host's other links, addresses and routes mean for a network. Pure:
// host_network_reader.h reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/ipv4.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// What the kernel says about the host.
struct HostNetwork {
  std::vector<Link> links;
  std::vector<LinkAddress> addresses;
  std::vector<Route> routes;
};

// What on the host, and not on `bridge` (0: there is none), has addresses in common
// with `prefix`: "the route 172.30.0.0/16 by link eth0". Default routes do not
// count, nor their halves (0.0.0.0/1 and 128.0.0.0/1, as VPNs use them).
std::optional<std::string> FindConflict(const HostNetwork& host, const Ipv4Prefix& prefix,
                                        Ifindex bridge);

// The links that default routes of the main table lead to, the preferred one first; each once.
std::vector<const Link*> FindUplinks(const HostNetwork& host);

}  // namespace svnet
