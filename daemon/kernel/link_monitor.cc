#include "daemon/kernel/link_monitor.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/kernel/route_messages.h"

namespace svnet {
namespace {

constexpr std::array<int, 4> kGroups = {RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
                                        RTNLGRP_IPV4_NETCONF};

// What a TAP's holder can change, and nothing else of it.
bool IsHeldTheSameWay(const Link& one, const Link& other) {
  return one.owner == other.owner && one.group_gid == other.group_gid &&
         one.persistent == other.persistent && one.ethernet == other.ethernet &&
         one.mac == other.mac && one.open_queues == other.open_queues;
}

void NoteLink(Link link, KernelChanges* changes) {
  const auto [at, is_first] = changes->links.try_emplace(link.ifindex, link);
  if (is_first) return;
  std::swap(at->second, link);
  if (link.kind == LinkKind::kTap && !IsHeldTheSameWay(at->second, link)) {
    changes->earlier_taps.push_back(std::move(link));
  }
}

void AddLink(const NetlinkReader& message, KernelChanges* changes) {
  const auto header = message.fixed<ifinfomsg>();
  const bool deleted = message.type() == RTM_DELLINK;
  // What a bridge says of a port of its own. One that has left it says so itself, too.
  if (header.ifi_family == AF_BRIDGE) {
    if (!deleted) changes->pinned[header.ifi_index] = ParsePortPinned(message);
  } else if (deleted) {
    changes->gone.insert(header.ifi_index);
    changes->links.erase(header.ifi_index);
  } else {
    NoteLink(ParseLink(message), changes);
  }
}

}  // namespace

void AddChange(const NetlinkReader& message, KernelChanges* changes) {
  switch (message.type()) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return AddLink(message, changes);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      if (const std::optional<LinkAddress> address = ParseAddress(message)) {
        changes->addresses.insert(address->ifindex);
      }
      return;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return ParseNeighbourChange(message, changes);
    case RTM_NEWNETCONF:
      if (IsForwardingChange(message)) changes->forwarding = true;
      return;
    default:
      return;
  }
}

absl::StatusOr<LinkMonitor> LinkMonitor::Open(int receive_buffer) {
  SVNET_ASSIGN_OR_RETURN(NetlinkListener listener,
                         NetlinkListener::Open(NETLINK_ROUTE, kGroups, receive_buffer));
  return LinkMonitor(std::move(listener));
}

absl::StatusOr<KernelChanges> LinkMonitor::Take() {
  KernelChanges changes;
  SVNET_ASSIGN_OR_RETURN(changes.lost, listener_.Take([&](const NetlinkReader& message) {
    AddChange(message, &changes);
  }));
  return changes;
}

}  // namespace svnet
