#include "daemon/address/uplink.h"

#include <algorithm>

#include "daemon/base/status_macros.h"

namespace svnet {

absl::StatusOr<std::optional<Uplink>> FindUplink(Kernel* kernel) {
  for (const Ipv4Address& destination : kInternet) {
    SVNET_ASSIGN_OR_RETURN(const RouteAnswer route,
                           kernel->FindRoute({.destination = destination}));
    if (route.dropped || route.is_local) continue;
    SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel->FindLink(route.out));
    if (!link.has_value()) continue;
    const uint32_t mtu = route.mtu == 0 ? link->mtu : std::min(route.mtu, link->mtu);
    return Uplink{.ifindex = link->ifindex, .name = link->name, .mtu = std::min(mtu, kMaxTapMtu)};
  }
  return std::nullopt;
}

}  // namespace svnet
