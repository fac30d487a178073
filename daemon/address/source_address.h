// With which of its addresses the host sends.
#pragma once

#include <optional>
#include <vector>

#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// The address that masquerade takes for what leaves by that link to that next hop: the first of
// the link's own whose prefix has the next hop in it, or else its first one
// (net/ipv4/devinet.c, inet_select_addr). nullopt: the link has none, and the kernel takes one of
// some other link.
std::optional<Ipv4Address> MasqueradeAddress(const std::vector<LinkAddress>& addresses,
                                             Ifindex link, Ipv4Address next_hop);

}  // namespace svnet
