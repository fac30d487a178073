#include "daemon/kernel/route_messages.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "daemon/base/entry_protocol.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

static_assert(NetlinkAttributes::kMaxType >= IFLA_MAX && NetlinkAttributes::kMaxType >= IFA_MAX &&
              NetlinkAttributes::kMaxType >= RTA_MAX);

void ParseTun(const NetlinkAttributes& tun, Link* link) {
  if (tun.Get<uint8_t>(IFLA_TUN_TYPE) != IFF_TAP) return;
  link->kind = LinkKind::kTap;
  link->owner = tun.Get<uint32_t>(IFLA_TUN_OWNER);
  link->group_gid = tun.Get<uint32_t>(IFLA_TUN_GROUP);
  link->persistent = tun.Get<uint8_t>(IFLA_TUN_PERSIST).value_or(0) != 0;
  link->multi_queue = tun.Get<uint8_t>(IFLA_TUN_MULTI_QUEUE).value_or(0) != 0;
  if (const auto attached = tun.Get<uint32_t>(IFLA_TUN_NUM_QUEUES)) {
    link->open_queues = *attached + tun.Get<uint32_t>(IFLA_TUN_NUM_DISABLED_QUEUES).value_or(0);
  }
}

bool IsPinned(const NetlinkAttributes& port) {
  return port.Get<uint8_t>(IFLA_BRPORT_LEARNING) == 0 &&
         port.Get<uint8_t>(IFLA_BRPORT_UNICAST_FLOOD) == 0 &&
         port.Get<uint16_t>(IFLA_BRPORT_GROUP_FWD_MASK) == kForwardedGroups;
}

void ParseKind(const NetlinkAttributes& info, Link* link) {
  if (info.GetText(IFLA_INFO_SLAVE_KIND) == "bridge") {
    link->pinned = IsPinned(info.In(IFLA_INFO_SLAVE_DATA));
  }
  const std::string kind = info.GetText(IFLA_INFO_KIND);
  if (kind == "bridge") {
    link->kind = LinkKind::kBridge;
    link->stp = info.In(IFLA_INFO_DATA).Get<uint32_t>(IFLA_BR_STP_STATE).value_or(0) != 0;
  }
  if (kind == "tun") ParseTun(info.In(IFLA_INFO_DATA), link);
}

// `settings`: a number for each, by their own numbers from 1.
bool IsRouted(absl::string_view settings) {
  const auto is_on = [&](int setting) {
    const size_t offset = (setting - 1) * sizeof(uint32_t);
    uint32_t value = 0;
    if (settings.size() >= offset + sizeof(value)) {
      std::memcpy(&value, settings.data() + offset, sizeof(value));
    }
    return value == 1;
  };
  return is_on(IPV4_DEVCONF_RP_FILTER) && is_on(IPV4_DEVCONF_PROXY_ARP);
}

std::optional<Ipv4Address> GetAddress(const NetlinkAttributes& attributes, int type) {
  const std::optional<uint32_t> value = attributes.Get<uint32_t>(type);
  if (!value.has_value()) return std::nullopt;
  return Ipv4Address(ntohl(*value));
}

bool HasSource(const RouteQuestion& question) { return question.source.value() != 0; }

// The link of an ECMP route's first next hop.
Ifindex FirstNextHop(const NetlinkAttributes& route) {
  return route.Get<rtnexthop>(RTA_MULTIPATH).value_or(rtnexthop{}).rtnh_ifindex;
}

}  // namespace

Link ParseLink(const NetlinkReader& message) {
  const auto header = message.fixed<ifinfomsg>();
  const NetlinkAttributes attributes = message.attributes<ifinfomsg>();
  Link link;
  link.ifindex = header.ifi_index;
  link.up = (header.ifi_flags & IFF_UP) != 0;
  link.ethernet = header.ifi_type == ARPHRD_ETHER;
  link.name = attributes.GetText(IFLA_IFNAME);
  link.alias = attributes.GetText(IFLA_IFALIAS);
  link.master = attributes.Get<int>(IFLA_MASTER).value_or(0);
  link.mac =
      MacAddress(attributes.Get<MacAddress::Octets>(IFLA_ADDRESS).value_or(MacAddress::Octets{}));
  link.mtu = attributes.Get<uint32_t>(IFLA_MTU).value_or(0);
  link.group = attributes.Get<uint32_t>(IFLA_GROUP).value_or(0);
  link.carrier = attributes.Get<uint8_t>(IFLA_CARRIER).value_or(0) != 0;
  link.carrier_ups = attributes.Get<uint32_t>(IFLA_CARRIER_UP_COUNT).value_or(0);
  ParseKind(attributes.In(IFLA_LINKINFO), &link);
  link.routed = IsRouted(attributes.In(IFLA_AF_SPEC).In(AF_INET).Find(IFLA_INET_CONF).value_or(""));
  return link;
}

bool ParsePortPinned(const NetlinkReader& message) {
  return IsPinned(message.attributes<ifinfomsg>().In(IFLA_PROTINFO));
}

std::optional<LinkAddress> ParseAddress(const NetlinkReader& message) {
  const auto header = message.fixed<ifaddrmsg>();
  if (header.ifa_family != AF_INET || header.ifa_prefixlen > 32) return std::nullopt;
  const NetlinkAttributes attributes = message.attributes<ifaddrmsg>();
  // On a point-to-point link IFA_ADDRESS is the peer's; elsewhere both are the same.
  const std::optional<Ipv4Address> peer = GetAddress(attributes, IFA_ADDRESS);
  const std::optional<Ipv4Address> local = GetAddress(attributes, IFA_LOCAL);
  if (!peer.has_value() && !local.has_value()) return std::nullopt;
  return LinkAddress{
      .ifindex = static_cast<Ifindex>(header.ifa_index),
      .address = local.has_value() ? *local : *peer,
      .prefix = Ipv4Prefix::Containing(peer.has_value() ? *peer : *local, header.ifa_prefixlen),
      .is_source =
          (header.ifa_flags & IFA_F_SECONDARY) == 0 && header.ifa_scope == RT_SCOPE_UNIVERSE};
}

uint8_t ParseAddressProtocol(const NetlinkReader& message) {
  return message.attributes<ifaddrmsg>().Get<uint8_t>(IFA_PROTO).value_or(0);
}

std::optional<std::pair<Ifindex, Neighbour>> ParsePermanentNeighbour(const NetlinkReader& message,
                                                                     uint8_t protocol) {
  const auto header = message.fixed<ndmsg>();
  if (header.ndm_family != AF_INET || (header.ndm_state & NUD_PERMANENT) == 0) return std::nullopt;
  const NetlinkAttributes attributes = message.attributes<ndmsg>();
  const std::optional<Ipv4Address> address = GetAddress(attributes, NDA_DST);
  const auto mac = attributes.Get<MacAddress::Octets>(NDA_LLADDR);
  const bool ours = attributes.Get<uint8_t>(NDA_PROTOCOL) == protocol;
  if (!ours || !address.has_value() || !mac.has_value()) return std::nullopt;
  return std::pair(header.ndm_ifindex, Neighbour{.address = *address, .mac = MacAddress(*mac)});
}

void ParseNeighbourChange(const NetlinkReader& message, KernelChanges* changes) {
  const auto header = message.fixed<ndmsg>();
  const NetlinkAttributes attributes = message.attributes<ndmsg>();
  const bool exists = message.type() == RTM_NEWNEIGH;
  const auto octets = attributes.Get<MacAddress::Octets>(NDA_LLADDR);
  const std::optional<Ipv4Address> address = GetAddress(attributes, NDA_DST);
  if (header.ndm_family == AF_BRIDGE && octets.has_value()) {
    changes->static_macs[{header.ndm_ifindex, MacAddress(*octets)}] =
        exists && (header.ndm_state & NUD_NOARP) != 0;
  } else if (header.ndm_family == AF_INET && address.has_value()) {
    const bool permanent = exists && (header.ndm_state & NUD_PERMANENT) != 0;
    changes->neighbours[{header.ndm_ifindex, *address}] =
        permanent && octets.has_value() ? std::make_optional(MacAddress(*octets)) : std::nullopt;
  }
}

bool IsForwardingChange(const NetlinkReader& message) {
  const auto header = message.fixed<netconfmsg>();
  const NetlinkAttributes attributes = message.attributes<netconfmsg>();
  return header.ncm_family == AF_INET &&
         attributes.Get<int>(NETCONFA_IFINDEX) == NETCONFA_IFINDEX_ALL &&
         attributes.Find(NETCONFA_FORWARDING).has_value();
}

Ifindex LinkOfSettingChange(const NetlinkReader& message) {
  const auto header = message.fixed<netconfmsg>();
  const NetlinkAttributes attributes = message.attributes<netconfmsg>();
  const int settings = (attributes.Find(NETCONFA_FORWARDING).has_value() ? 1 : 0) +
                       (attributes.Find(NETCONFA_RP_FILTER).has_value() ? 1 : 0) +
                       (attributes.Find(NETCONFA_PROXY_NEIGH).has_value() ? 1 : 0);
  const int link = attributes.Get<int>(NETCONFA_IFINDEX).value_or(0);
  return header.ncm_family == AF_INET && link > 0 && settings == 1 ? link : 0;
}

NetlinkMessage AskForRoute(const RouteQuestion& question, unsigned flags) {
  NetlinkMessage request(RTM_GETROUTE, 0,
                         rtmsg{.rtm_family = AF_INET,
                               .rtm_dst_len = 32,
                               .rtm_src_len = static_cast<uint8_t>(HasSource(question) ? 32 : 0),
                               // Without it the kernel does not say whose table it is.
                               .rtm_flags = flags | RTM_F_LOOKUP_TABLE});
  request.Put(RTA_DST, htonl(question.destination.value()));
  if (HasSource(question)) request.Put(RTA_SRC, htonl(question.source.value()));
  if (question.in != 0) request.Put(RTA_IIF, question.in);
  return request;
}

RouteAnswer ParseRouteAnswer(const NetlinkReader& message) {
  const auto header = message.fixed<rtmsg>();
  const NetlinkAttributes attributes = message.attributes<rtmsg>();
  return {.why = {},
          .is_local = header.rtm_type == RTN_LOCAL || header.rtm_type == RTN_BROADCAST,
          .out = attributes.Get<int>(RTA_OIF).value_or(0),
          .table = attributes.Get<uint32_t>(RTA_TABLE).value_or(header.rtm_table),
          .mtu = attributes.In(RTA_METRICS).Get<uint32_t>(RTAX_MTU).value_or(0),
          .gateway = GetAddress(attributes, RTA_GATEWAY),
          .preferred_source = std::nullopt};
}

std::optional<Ipv4Address> ParsePreferredSource(const NetlinkReader& message) {
  return GetAddress(message.attributes<rtmsg>(), RTA_PREFSRC);
}

bool IsRoutingRefusal(int error) {
  switch (error) {
    case ENETUNREACH:   // there is no route
    case EHOSTUNREACH:  // a route of the type unreachable, or the link does not forward
    case EACCES:        // prohibit
    case EINVAL:        // blackhole, or a source that no packet can have
    case EXDEV:         // an answer would leave by another link, and rp_filter is strict
      return true;
    default:
      return false;
  }
}

bool IsGuestRoute(const NetlinkReader& message) {
  const auto header = message.fixed<rtmsg>();
  return header.rtm_family == AF_INET && header.rtm_dst_len == 32 &&
         header.rtm_protocol == kGuestEntryProtocol;
}

void ParseRouteChange(const NetlinkReader& message, KernelChanges* changes) {
  const bool ours = IsGuestRoute(message);
  if (!ours) changes->routes = true;
  const auto header = message.fixed<rtmsg>();
  // The host's own addresses are in a table of their own.
  if (header.rtm_dst_len != 32 || header.rtm_table == RT_TABLE_LOCAL) return;
  // Another's may have taken the place of ours.
  const std::optional<Ipv4Address> guest = GetAddress(message.attributes<rtmsg>(), RTA_DST);
  const bool exists = ours && message.type() == RTM_NEWROUTE;
  if (guest.has_value()) changes->guest_routes[*guest] = exists;
}

std::optional<Route> ParseRoute(const NetlinkReader& message) {
  const auto header = message.fixed<rtmsg>();
  const bool leads_somewhere = header.rtm_type == RTN_UNICAST || header.rtm_type == RTN_LOCAL;
  if (header.rtm_family != AF_INET || header.rtm_dst_len > 32 || !leads_somewhere) {
    return std::nullopt;
  }
  const NetlinkAttributes attributes = message.attributes<rtmsg>();
  const Ipv4Address destination = GetAddress(attributes, RTA_DST).value_or(Ipv4Address(0));
  return Route{.destination = Ipv4Prefix::Containing(destination, header.rtm_dst_len),
               .ifindex = attributes.Get<int>(RTA_OIF).value_or(FirstNextHop(attributes)),
               .table = attributes.Get<uint32_t>(RTA_TABLE).value_or(header.rtm_table),
               .metric = attributes.Get<uint32_t>(RTA_PRIORITY).value_or(0)};
}

}  // namespace svnet
