#include "daemon/kernel/link_monitor.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "daemon/kernel/route_messages.h"

namespace svnet {
namespace {

constexpr std::array kGroups = {RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
                                RTNLGRP_IPV4_NETCONF};

absl::Status SetOption(const UniqueFd& socket, int level, int option, int value) {
  if (setsockopt(socket.get(), level, option, &value, sizeof(value)) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "netlink monitor");
}

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

void AddLink(nlmsghdr* message, KernelChanges* changes) {
  const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(message));
  const bool deleted = message->nlmsg_type == RTM_DELLINK;
  // What a bridge says of a port of its own. One that has left it says so itself, too.
  if (header->ifi_family == AF_BRIDGE) {
    if (!deleted) changes->pinned[header->ifi_index] = ParsePortPinned(message);
  } else if (deleted) {
    changes->gone.insert(header->ifi_index);
    changes->links.erase(header->ifi_index);
  } else {
    NoteLink(ParseLink(message), changes);
  }
}

}  // namespace

void AddChange(nlmsghdr* message, KernelChanges* changes) {
  switch (message->nlmsg_type) {
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
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!socket.valid()) return absl::ErrnoToStatus(errno, "netlink monitor");
  // As large as may be; if it is too small after all, the kernel says that it was.
  if (!SetOption(socket, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer).ok()) {
    SetOption(socket, SOL_SOCKET, SO_RCVBUF, receive_buffer).IgnoreError();
  }
  sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, "netlink monitor");
  }
  for (const int group : kGroups) {
    const absl::Status joined = SetOption(socket, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
    if (!joined.ok()) return joined;
  }
  return LinkMonitor(std::move(socket));
}

absl::StatusOr<KernelChanges> LinkMonitor::Take() {
  KernelChanges changes;
  alignas(nlmsghdr) std::array<char, 64 << 10> buffer;
  while (true) {
    const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EAGAIN) return changes;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {
      changes.lost = true;
      continue;
    }
    if (size < 0) return absl::ErrnoToStatus(errno, "netlink monitor");
    int left = static_cast<int>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(message, left);
         message = nlmsg_next(message, &left)) {
      AddChange(message, &changes);
    }
  }
}

}  // namespace svnet
