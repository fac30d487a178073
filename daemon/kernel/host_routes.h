// What rtnetlink says of the host's own addresses and routes.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// See Kernel, which has the same.
absl::StatusOr<std::vector<LinkAddress>> DumpAddresses(NetlinkSocket& socket);
absl::StatusOr<std::vector<Route>> DumpRoutes(NetlinkSocket& socket);
absl::StatusOr<RouteAnswer> FindRoute(NetlinkSocket& socket, const RouteQuestion& question);

}  // namespace svnet
