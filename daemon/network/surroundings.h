// What the host's other links, addresses and routes mean for a network. All pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/ipv4.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// What the kernel says of the host.
struct Surroundings {
  std::vector<Link> links;
  std::vector<LinkAddress> addresses;
  std::vector<Route> routes;
};

absl::StatusOr<Surroundings> ReadSurroundings(Kernel* kernel);

// What on the host, and not on `bridge` (0: there is none), has addresses in common
// with `prefix`: "the route 172.30.0.0/16 by link eth0". Default routes do not
// count, nor their halves (0.0.0.0/1 and 128.0.0.0/1, as VPNs use them).
std::optional<std::string> FindConflict(const Surroundings& host, const Ipv4Prefix& prefix,
                                        Ifindex bridge);

// The link that the default route leads to; nullptr without one. Of several, the one of
// the lowest metric, which is the one that the kernel takes.
const Link* FindUplink(const Surroundings& host);

// Its MTU.
std::optional<uint32_t> FindUplinkMtu(const Surroundings& host);

}  // namespace svnet
