// A TAP that is no port of a bridge, by rtnetlink.
#pragma once

#include "absl/status/status.h"
#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// See OpenTap::Route. `ipv6`: it has IPv6, and must at least get no address of it.
absl::Status RouteNewTap(NetlinkSocket& socket, Ifindex tap, const RoutedTapSpec& spec, bool ipv6);
// Makes a TAP, whatever was done to it, what RouteNewTap made it.
absl::Status RouteTapAgain(NetlinkSocket& socket, Ifindex tap, const RoutedTapSpec& spec);

}  // namespace svnet
