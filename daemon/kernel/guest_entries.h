// What the kernel is told of guests' addresses and MACs, by rtnetlink: neighbours, places in a
// bridge, and routes.
#pragma once

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_message.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// RTM_NEWNEIGH: the address has that MAC for good, whatever it was before.
NetlinkMessage NeighbourRequest(Ifindex link, const Neighbour& neighbour);
// RTM_NEWROUTE. `flags`: NLM_F_CREATE with NLM_F_EXCL or NLM_F_REPLACE.
NetlinkMessage GuestRouteRequest(const GuestRoute& route, Ipv4Address gateway, int flags);

// See Kernel, which has the same.
absl::StatusOr<std::vector<std::pair<Ifindex, Neighbour>>> DumpNeighbours(NetlinkSocket& socket);
absl::StatusOr<std::optional<MacAddress>> FindPermanentNeighbour(NetlinkSocket& socket,
                                                                 Ifindex link, Ipv4Address address);
absl::Status DeleteNeighbour(NetlinkSocket& socket, Ifindex link, Ipv4Address address);
absl::StatusOr<std::set<std::pair<Ifindex, MacAddress>>> DumpStaticMacs(NetlinkSocket& socket,
                                                                        Ifindex bridge);
absl::StatusOr<std::vector<GuestRoute>> DumpGuestRoutes(NetlinkSocket& socket);
absl::Status DeleteGuestRoute(NetlinkSocket& socket, const GuestRoute& route);

}  // namespace svnet
