#include "daemon/kernel/route_messages.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/string_view.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// The attributes of a message or a nest, by type. What is absent, or shorter than
// it must be, reads as the type's zero.
class Attributes {
 public:
  static Attributes Of(nlmsghdr* message, int header_size) {
    Attributes attributes;
    nlmsg_parse(message, header_size, attributes.table_.data(), kMaxType, nullptr);
    return attributes;
  }
  static Attributes In(nlattr* nest) {
    Attributes attributes;
    if (nest != nullptr) nla_parse_nested(attributes.table_.data(), kMaxType, nest, nullptr);
    return attributes;
  }

  nlattr* Find(int type) const { return table_[type]; }

  template <typename Integer>
  std::optional<Integer> Get(int type) const {
    const nlattr* attribute = table_[type];
    if (attribute == nullptr || nla_len(attribute) < static_cast<int>(sizeof(Integer))) {
      return std::nullopt;
    }
    Integer value;
    std::memcpy(&value, nla_data(attribute), sizeof(value));
    return value;
  }

  std::string GetText(int type) const {
    const nlattr* attribute = table_[type];
    if (attribute == nullptr) return "";
    const auto* text = static_cast<const char*>(nla_data(attribute));
    return std::string(text, strnlen(text, nla_len(attribute)));
  }

 private:
  // More than any of the types that are asked for here.
  static constexpr int kMaxType = 127;
  static_assert(kMaxType >= IFLA_MAX && kMaxType >= IFA_MAX && kMaxType >= RTA_MAX);

  std::array<nlattr*, kMaxType + 1> table_ = {};
};

void ParseTun(nlattr* data, Link* link) {
  const Attributes tun = Attributes::In(data);
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

bool IsPinned(nlattr* port_data) {
  const Attributes port = Attributes::In(port_data);
  return port.Get<uint8_t>(IFLA_BRPORT_LEARNING) == 0 &&
         port.Get<uint8_t>(IFLA_BRPORT_UNICAST_FLOOD) == 0 &&
         port.Get<uint16_t>(IFLA_BRPORT_GROUP_FWD_MASK) == kForwardedGroups;
}

void ParseKind(nlattr* link_info, Link* link) {
  const Attributes info = Attributes::In(link_info);
  if (info.GetText(IFLA_INFO_SLAVE_KIND) == "bridge") {
    link->pinned = IsPinned(info.Find(IFLA_INFO_SLAVE_DATA));
  }
  const std::string kind = info.GetText(IFLA_INFO_KIND);
  if (kind == "bridge") link->kind = LinkKind::kBridge;
  if (kind == "tun") ParseTun(info.Find(IFLA_INFO_DATA), link);
}

std::optional<Ipv4Address> GetAddress(const Attributes& attributes, int type) {
  const std::optional<uint32_t> value = attributes.Get<uint32_t>(type);
  if (!value.has_value()) return std::nullopt;
  return Ipv4Address(ntohl(*value));
}

// The link of an ECMP route's first next hop.
Ifindex FirstNextHop(nlattr* multipath) {
  if (multipath == nullptr || nla_len(multipath) < static_cast<int>(sizeof(rtnexthop))) return 0;
  return static_cast<rtnexthop*>(nla_data(multipath))->rtnh_ifindex;
}

}  // namespace

Link ParseLink(nlmsghdr* message) {
  const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(message));
  const Attributes attributes = Attributes::Of(message, sizeof(ifinfomsg));
  Link link;
  link.ifindex = header->ifi_index;
  link.up = (header->ifi_flags & IFF_UP) != 0;
  link.ethernet = header->ifi_type == ARPHRD_ETHER;
  link.name = attributes.GetText(IFLA_IFNAME);
  link.alias = attributes.GetText(IFLA_IFALIAS);
  link.master = attributes.Get<int>(IFLA_MASTER).value_or(0);
  link.mac =
      MacAddress(attributes.Get<MacAddress::Octets>(IFLA_ADDRESS).value_or(MacAddress::Octets{}));
  link.mtu = attributes.Get<uint32_t>(IFLA_MTU).value_or(0);
  link.group = attributes.Get<uint32_t>(IFLA_GROUP).value_or(0);
  link.carrier = attributes.Get<uint8_t>(IFLA_CARRIER).value_or(0) != 0;
  link.carrier_ups = attributes.Get<uint32_t>(IFLA_CARRIER_UP_COUNT).value_or(0);
  ParseKind(attributes.Find(IFLA_LINKINFO), &link);
  return link;
}

absl::StatusOr<std::vector<Link>> DumpLinks(NetlinkSocket& socket) {
  const auto request = [] {
    NetlinkMessage message = NewMessage(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
    nla_put_u32(message.get(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return message;
  };
  std::vector<Link> links;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      request, [&] { links.clear(); },
      [&](nlmsghdr* message) { links.push_back(ParseLink(message)); }));
  return links;
}

bool ParsePortPinned(nlmsghdr* message) {
  return IsPinned(Attributes::Of(message, sizeof(ifinfomsg)).Find(IFLA_PROTINFO));
}

std::optional<LinkAddress> ParseAddress(nlmsghdr* message) {
  const auto* header = static_cast<const ifaddrmsg*>(nlmsg_data(message));
  if (header->ifa_family != AF_INET || header->ifa_prefixlen > 32) return std::nullopt;
  const Attributes attributes = Attributes::Of(message, sizeof(ifaddrmsg));
  // On a point-to-point link IFA_ADDRESS is the peer's; elsewhere both are the same.
  const std::optional<Ipv4Address> peer = GetAddress(attributes, IFA_ADDRESS);
  const std::optional<Ipv4Address> local = GetAddress(attributes, IFA_LOCAL);
  if (!peer.has_value() && !local.has_value()) return std::nullopt;
  return LinkAddress{
      .ifindex = static_cast<Ifindex>(header->ifa_index),
      .address = local.has_value() ? *local : *peer,
      .prefix = Ipv4Prefix::Containing(peer.has_value() ? *peer : *local, header->ifa_prefixlen)};
}

uint8_t ParseAddressProtocol(nlmsghdr* message) {
  return Attributes::Of(message, sizeof(ifaddrmsg)).Get<uint8_t>(IFA_PROTO).value_or(0);
}

std::optional<Neighbour> ParsePermanentNeighbour(nlmsghdr* message, Ifindex link,
                                                 uint8_t protocol) {
  const auto* header = static_cast<const ndmsg*>(nlmsg_data(message));
  if (header->ndm_family != AF_INET || header->ndm_ifindex != link ||
      (header->ndm_state & NUD_PERMANENT) == 0) {
    return std::nullopt;
  }
  const Attributes attributes = Attributes::Of(message, sizeof(ndmsg));
  const std::optional<Ipv4Address> address = GetAddress(attributes, NDA_DST);
  const auto mac = attributes.Get<MacAddress::Octets>(NDA_LLADDR);
  const bool ours = attributes.Get<uint8_t>(NDA_PROTOCOL) == protocol;
  if (!ours || !address.has_value() || !mac.has_value()) return std::nullopt;
  return Neighbour{.address = *address, .mac = MacAddress(*mac)};
}

void ParseNeighbourChange(nlmsghdr* message, KernelChanges* changes) {
  const auto* header = static_cast<const ndmsg*>(nlmsg_data(message));
  const Attributes attributes = Attributes::Of(message, sizeof(ndmsg));
  const bool stands = message->nlmsg_type == RTM_NEWNEIGH;
  const auto octets = attributes.Get<MacAddress::Octets>(NDA_LLADDR);
  const std::optional<Ipv4Address> address = GetAddress(attributes, NDA_DST);
  if (header->ndm_family == AF_BRIDGE && octets.has_value()) {
    changes->static_macs[{header->ndm_ifindex, MacAddress(*octets)}] =
        stands && (header->ndm_state & NUD_NOARP) != 0;
  } else if (header->ndm_family == AF_INET && address.has_value()) {
    const bool permanent = stands && (header->ndm_state & NUD_PERMANENT) != 0;
    changes->neighbours[{header->ndm_ifindex, *address}] =
        permanent && octets.has_value() ? std::make_optional(MacAddress(*octets)) : std::nullopt;
  }
}

bool IsForwardingChange(nlmsghdr* message) {
  const auto* header = static_cast<const netconfmsg*>(nlmsg_data(message));
  const Attributes attributes = Attributes::Of(message, sizeof(netconfmsg));
  return header->ncm_family == AF_INET &&
         attributes.Get<int>(NETCONFA_IFINDEX) == NETCONFA_IFINDEX_ALL &&
         attributes.Find(NETCONFA_FORWARDING) != nullptr;
}

std::optional<Route> ParseRoute(nlmsghdr* message) {
  const auto* header = static_cast<const rtmsg*>(nlmsg_data(message));
  const bool leads_somewhere = header->rtm_type == RTN_UNICAST || header->rtm_type == RTN_LOCAL;
  if (header->rtm_family != AF_INET || header->rtm_dst_len > 32 || !leads_somewhere) {
    return std::nullopt;
  }
  const Attributes attributes = Attributes::Of(message, sizeof(rtmsg));
  const Ipv4Address destination = GetAddress(attributes, RTA_DST).value_or(Ipv4Address(0));
  return Route{.destination = Ipv4Prefix::Containing(destination, header->rtm_dst_len),
               .ifindex = attributes.Get<int>(RTA_OIF).value_or(
                   FirstNextHop(attributes.Find(RTA_MULTIPATH))),
               .table = attributes.Get<uint32_t>(RTA_TABLE).value_or(header->rtm_table),
               .metric = attributes.Get<uint32_t>(RTA_PRIORITY).value_or(0)};
}

}  // namespace svnet
