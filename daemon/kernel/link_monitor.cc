#include "daemon/kernel/link_monitor.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/base/status_macros.h"
#include "daemon/kernel/route_messages.h"

namespace svnet {
namespace {

constexpr std::array<int, 7> kGroups = {
    RTNLGRP_LINK,         RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE};

// Shorter prefixes are of the whole internet, or of half of it.
constexpr uint32_t kLongestGeneralPrefix = 1;

constexpr sock_filter Load(uint16_t size, size_t offset) {
  return BPF_STMT(static_cast<uint16_t>(BPF_LD | BPF_ABS | size), static_cast<uint32_t>(offset));
}
constexpr sock_filter Do(uint16_t code, uint32_t value = 0) { return BPF_STMT(code, value); }
constexpr sock_filter kAccept = Do(BPF_RET | BPF_K, 0xffffffff);
constexpr sock_filter kIgnore = Do(BPF_RET | BPF_K, 0);
constexpr sock_filter Jump(uint16_t condition, uint32_t value, uint8_t yes, uint8_t no) {
  return BPF_JUMP(static_cast<uint16_t>(BPF_JMP | condition), value, yes, no);
}

// Where the route filter keeps its values.
enum Cell : uint32_t { kLength, kDestination };

// Goes on if the route that the cells say has no address in common with `prefix`.
void AcceptIfOverlaps(const Ipv4Prefix& prefix, std::vector<sock_filter>* filter) {
  const auto length = static_cast<uint32_t>(prefix.length());
  filter->insert(filter->end(), {
                                    // The mask of the shorter of both prefixes.
                                    Do(BPF_LD | BPF_MEM, kLength),
                                    Jump(BPF_JGT | BPF_K, length, 0, 1),
                                    Do(BPF_LD | BPF_IMM, length),
                                    Do(BPF_ALU | BPF_NEG),
                                    Do(BPF_ALU | BPF_ADD | BPF_K, 32),
                                    Do(BPF_MISC | BPF_TAX),
                                    Do(BPF_LD | BPF_IMM, 0xffffffff),
                                    Do(BPF_ALU | BPF_LSH | BPF_X),
                                    Do(BPF_MISC | BPF_TAX),
                                    // Whether they differ where both have bits.
                                    Do(BPF_LD | BPF_MEM, kDestination),
                                    Do(BPF_ALU | BPF_XOR | BPF_K, prefix.network().value()),
                                    Do(BPF_ALU | BPF_AND | BPF_X),
                                    Jump(BPF_JEQ | BPF_K, 0, 0, 1),
                                    kAccept,
                                });
}

// A router takes in thousands of routes a second. Here the kernel throws those away that have
// nothing to do with guests: neither general, nor with addresses in common with one of `prefixes`.
// All else comes through.
std::vector<sock_filter> MakeRouteFilter(const std::vector<Ipv4Prefix>& prefixes) {
  std::vector<sock_filter> filter = {
      Load(BPF_H, offsetof(nlmsghdr, nlmsg_type)),  // as if it were in the network's byte order
      Jump(BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 2, 0),
      Jump(BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 1, 0),
      kAccept,
      Load(BPF_B, NLMSG_HDRLEN + offsetof(rtmsg, rtm_dst_len)),
      Jump(BPF_JGT | BPF_K, kLongestGeneralPrefix, 1, 0),
      kAccept,
      Do(BPF_ST, kLength),
      // Where the destination is: Linux finds an attribute for a filter.
      Do(BPF_LD | BPF_IMM, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(rtmsg))),
      Do(BPF_LDX | BPF_IMM, RTA_DST),
      Load(BPF_W, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_NLATTR)),
      Jump(BPF_JEQ | BPF_K, 0, 0, 1),
      kAccept,
      Do(BPF_MISC | BPF_TAX),
      Do(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN),
      Do(BPF_ST, kDestination),
  };
  for (const Ipv4Prefix& prefix : prefixes) AcceptIfOverlaps(prefix, &filter);
  filter.push_back(kIgnore);
  return filter;
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
  const bool was_down = at->second.up && !link.up && !link.alias.empty();
  if (link.kind == LinkKind::kTap && (was_down || !IsHeldTheSameWay(at->second, link))) {
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
      } else if (message.type() == RTM_NEWADDR) {
        changes->ipv6.insert(static_cast<Ifindex>(message.fixed<ifaddrmsg>().ifa_index));
      }
      return;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return ParseNeighbourChange(message, changes);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return ParseRouteChange(message, changes);
    case RTM_NEWRULE:
    case RTM_DELRULE:
      changes->routes = true;
      return;
    case RTM_NEWNETCONF:
      if (IsForwardingChange(message)) changes->forwarding = true;
      if (const Ifindex link = LinkOfSettingChange(message)) {
        changes->routes = true;
        changes->settings.insert(link);
      }
      return;
    default:
      return;
  }
}

absl::StatusOr<LinkMonitor> LinkMonitor::Open(const std::vector<Ipv4Prefix>& prefixes,
                                              int receive_buffer) {
  SVNET_ASSIGN_OR_RETURN(
      NetlinkListener listener,
      NetlinkListener::Open(NETLINK_ROUTE, kGroups, receive_buffer, MakeRouteFilter(prefixes)));
  return LinkMonitor(std::move(listener));
}

absl::Status LinkMonitor::WatchRoutesOf(const std::vector<Ipv4Prefix>& prefixes) {
  return listener_.SetFilter(MakeRouteFilter(prefixes));
}

absl::StatusOr<KernelChanges> LinkMonitor::Take() {
  KernelChanges changes;
  SVNET_ASSIGN_OR_RETURN(changes.lost, listener_.Take([&](const NetlinkReader& message) {
    AddChange(message, &changes);
  }));
  return changes;
}

}  // namespace svnet
