// rtnetlink messages as values (rtnetlink(7)): what a dump says.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// IFLA_BRPORT_GROUP_FWD_MASK of a guest's port: frames to 01:80:c2:00:00:0X go the way of
// all others, past the rules, and not straight to the host's own stack. But for ..:01,
// which the kernel always drops.
inline constexpr uint16_t kForwardedGroups = 0xfffd;

// RTM_NEWLINK.
Link ParseLink(const NetlinkReader& message);

// RTM_NEWLINK of the family AF_BRIDGE, which a bridge sends of a port: see Link::pinned.
bool ParsePortPinned(const NetlinkReader& message);

// RTM_NEWADDR and RTM_DELADDR. nullopt: not IPv4.
std::optional<LinkAddress> ParseAddress(const NetlinkReader& message);
// IFA_PROTO: who says that it put the address there; 0 where the kernel (before
// 5.18) or the address has none.
uint8_t ParseAddressProtocol(const NetlinkReader& message);

// RTM_NEWNEIGH. nullopt: not IPv4, not permanent, or of another NDA_PROTOCOL.
std::optional<std::pair<Ifindex, Neighbour>> ParsePermanentNeighbour(const NetlinkReader& message,
                                                                     uint8_t protocol);

// RTM_NEWNEIGH and RTM_DELNEIGH, of IPv4 and of bridges.
void ParseNeighbourChange(const NetlinkReader& message, KernelChanges* changes);

// RTM_NEWNETCONF: whether it is about net.ipv4.ip_forward.
bool IsForwardingChange(const NetlinkReader& message);
// Which link it is about, if it is about forwarding, rp_filter or proxy_arp of one, and not what a
// new link says of all its settings; else 0.
Ifindex LinkOfSettingChange(const NetlinkReader& message);

// RTM_GETROUTE: what the kernel would do; with RTM_F_FIB_MATCH, the route that it would take.
NetlinkMessage AskForRoute(const RouteQuestion& question, unsigned flags);
// What it answers to the first.
RouteAnswer ParseRouteAnswer(const NetlinkReader& message);
// What it answers to the second: RTA_PREFSRC.
std::optional<Ipv4Address> ParsePreferredSource(const NetlinkReader& message);
// Whether it is not an error of the question, but what becomes of such a packet.
bool IsRoutingRefusal(int error);

// RTM_NEWROUTE and RTM_DELROUTE: whether it is one of svnetd's, to a guest.
bool IsGuestRoute(const NetlinkReader& message);
// What they say of routes to guests, and whether packets may take other ways.
void ParseRouteChange(const NetlinkReader& message, KernelChanges* changes);
// RTM_NEWROUTE. nullopt: not IPv4, or it leads nowhere.
std::optional<Route> ParseRoute(const NetlinkReader& message);

}  // namespace svnet
