// The host's connection tracking (nf_conntrack).
#pragma once

#include <set>

#include "absl/status/status.h"
#include "daemon/base/ipv4.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// See Kernel::ForgetFlows. `socket` is one of NETLINK_NETFILTER. One dump, however many
// addresses: whoever frees many does well to free them together.
absl::Status DeleteFlows(NetlinkSocket& socket, const std::set<Ipv4Address>& addresses);

}  // namespace svnet
