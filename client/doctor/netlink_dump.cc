#include "client/doctor/netlink_dump.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base/entry_protocol.h"
#include "daemon/base/status_macros.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet::client {
namespace {

// `fixed`: the request's fixed part. `read` may add something to the list for each message.
template <typename T, typename Fixed>
absl::StatusOr<std::vector<T>> Dump(
    int type, const Fixed& fixed,
    absl::FunctionRef<void(const NetlinkReader&, std::vector<T>&)> read) {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_ROUTE));
  std::vector<T> list;
  SVNET_RETURN_IF_ERROR(socket.Dump([&] { return NetlinkMessage(type, 0, fixed); },
                                    [&] { list.clear(); },
                                    [&](const NetlinkReader& message) { read(message, list); }));
  return list;
}

std::optional<Ipv4Address> AddressIn(const NetlinkAttributes& attributes, int type) {
  const std::optional<uint32_t> value = attributes.Get<uint32_t>(type);
  if (!value.has_value()) return std::nullopt;
  return Ipv4Address(ntohl(*value));
}

void ReadLink(const NetlinkReader& message, std::vector<HostLink>& links) {
  const auto header = message.fixed<ifinfomsg>();
  const NetlinkAttributes attributes = message.attributes<ifinfomsg>();
  links.push_back({.ifindex = header.ifi_index,
                   .name = attributes.GetText(IFLA_IFNAME),
                   .kind = attributes.In(IFLA_LINKINFO).GetText(IFLA_INFO_KIND),
                   .alias = attributes.GetText(IFLA_IFALIAS),
                   .mtu = attributes.Get<uint32_t>(IFLA_MTU).value_or(0),
                   .master = attributes.Get<int>(IFLA_MASTER).value_or(0),
                   .group = attributes.Get<uint32_t>(IFLA_GROUP).value_or(0),
                   .up = (header.ifi_flags & IFF_UP) != 0,
                   .carrier = attributes.Get<uint8_t>(IFLA_CARRIER).value_or(0) != 0});
}

void ReadAddress(const NetlinkReader& message, std::vector<HostAddress>& addresses) {
  const auto header = message.fixed<ifaddrmsg>();
  const std::optional<Ipv4Address> address = AddressIn(message.attributes<ifaddrmsg>(), IFA_LOCAL);
  if (header.ifa_family != AF_INET || !address.has_value()) return;
  addresses.push_back({.ifindex = static_cast<int>(header.ifa_index),
                       .address = *address,
                       .prefix_length = header.ifa_prefixlen});
}

void ReadRoute(const NetlinkReader& message, std::vector<HostRoute>& routes) {
  const auto header = message.fixed<rtmsg>();
  const NetlinkAttributes attributes = message.attributes<rtmsg>();
  const std::optional<int> link = attributes.Get<int>(RTA_OIF);
  if (header.rtm_protocol == kGuestEntryProtocol) return;  // to a guest of svnetd's
  if (header.rtm_family != AF_INET || header.rtm_dst_len > 32 || !link.has_value()) return;
  const Ipv4Address network = AddressIn(attributes, RTA_DST).value_or(Ipv4Address(0));
  routes.push_back({.destination = Ipv4Prefix::Containing(network, header.rtm_dst_len),
                    .ifindex = *link,
                    .table = attributes.Get<uint32_t>(RTA_TABLE).value_or(header.rtm_table),
                    .metric = attributes.Get<uint32_t>(RTA_PRIORITY).value_or(0),
                    .gateway = AddressIn(attributes, RTA_GATEWAY)});
}

}  // namespace

absl::StatusOr<std::vector<HostLink>> DumpLinks() {
  return Dump<HostLink>(RTM_GETLINK, ifinfomsg{}, ReadLink);
}

absl::StatusOr<std::vector<HostAddress>> DumpAddresses() {
  return Dump<HostAddress>(RTM_GETADDR, ifaddrmsg{.ifa_family = AF_INET}, ReadAddress);
}

absl::StatusOr<std::vector<HostRoute>> DumpRoutes() {
  return Dump<HostRoute>(RTM_GETROUTE, rtmsg{.rtm_family = AF_INET}, ReadRoute);
}

}  // namespace svnet::client
