#include "client/doctor/netlink_dump.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <array>
#include <memory>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"

namespace svnet::client {
namespace {

// A dump that changes interrupt starts again.
constexpr int kAttempts = 16;

struct FreeSocket {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};

using Visit = absl::FunctionRef<void(nlmsghdr*)>;

absl::Status FromLibnl(int error) {
  return absl::UnavailableError(absl::StrCat("netlink: ", nl_geterror(error)));
}

int OnMessage(nl_msg* message, void* visit) {
  (*static_cast<Visit*>(visit))(nlmsg_hdr(message));
  return NL_OK;
}

// `header`: the fixed part of the request.
template <typename Header>
absl::Status DumpOnce(int type, Header header, Visit visit, bool* interrupted) {
  const std::unique_ptr<nl_sock, FreeSocket> socket(nl_socket_alloc());
  if (socket == nullptr) return absl::ResourceExhaustedError("netlink: out of memory");
  if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0) return FromLibnl(error);
  nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, OnMessage, &visit);
  const int sent = nl_send_simple(socket.get(), type, NLM_F_DUMP, &header, sizeof(header));
  if (sent < 0) return FromLibnl(sent);
  const int received = nl_recvmsgs_default(socket.get());
  *interrupted = received == -NLE_DUMP_INTR;
  return received < 0 && !*interrupted ? FromLibnl(received) : absl::OkStatus();
}

// Calls `read` for each message of a whole dump, which may add something to the list.
template <typename T, typename Header>
absl::StatusOr<std::vector<T>> Dump(int type, const Header& header,
                                    absl::FunctionRef<void(nlmsghdr*, std::vector<T>&)> read) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::vector<T> list;
    bool interrupted = false;
    SVNET_RETURN_IF_ERROR(DumpOnce(
        type, header, [&](nlmsghdr* message) { read(message, list); }, &interrupted));
    if (!interrupted) return list;
  }
  return absl::UnavailableError("netlink: changes interrupt every dump");
}

std::string TextOf(nlattr* attribute) {
  return attribute == nullptr ? "" : nla_get_string(attribute);
}

uint32_t NumberOf(nlattr* attribute) { return attribute == nullptr ? 0 : nla_get_u32(attribute); }

std::string KindOf(nlattr* info) {
  std::array<nlattr*, IFLA_INFO_MAX + 1> inner = {};
  if (info == nullptr || nla_parse_nested(inner.data(), IFLA_INFO_MAX, info, nullptr) < 0)
    return "";
  return TextOf(inner[IFLA_INFO_KIND]);
}

void ReadLink(nlmsghdr* message, std::vector<HostLink>& links) {
  std::array<nlattr*, IFLA_MAX + 1> attributes = {};
  if (nlmsg_parse(message, sizeof(ifinfomsg), attributes.data(), IFLA_MAX, nullptr) < 0) return;
  const auto* header = static_cast<ifinfomsg*>(nlmsg_data(message));
  links.push_back({.ifindex = header->ifi_index,
                   .name = TextOf(attributes[IFLA_IFNAME]),
                   .kind = KindOf(attributes[IFLA_LINKINFO]),
                   .alias = TextOf(attributes[IFLA_IFALIAS]),
                   .mtu = NumberOf(attributes[IFLA_MTU]),
                   .master = static_cast<int>(NumberOf(attributes[IFLA_MASTER])),
                   .up = (header->ifi_flags & IFF_UP) != 0,
                   .carrier = attributes[IFLA_CARRIER] != nullptr &&
                              nla_get_u8(attributes[IFLA_CARRIER]) != 0});
}

void ReadAddress(nlmsghdr* message, std::vector<HostAddress>& addresses) {
  std::array<nlattr*, IFA_MAX + 1> attributes = {};
  if (nlmsg_parse(message, sizeof(ifaddrmsg), attributes.data(), IFA_MAX, nullptr) < 0) return;
  const auto* header = static_cast<ifaddrmsg*>(nlmsg_data(message));
  if (header->ifa_family != AF_INET || attributes[IFA_LOCAL] == nullptr) return;
  addresses.push_back({.ifindex = static_cast<int>(header->ifa_index),
                       .address = Ipv4Address(ntohl(nla_get_u32(attributes[IFA_LOCAL]))),
                       .prefix_length = header->ifa_prefixlen});
}

std::optional<Ipv4Address> GatewayOf(nlattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  return Ipv4Address(ntohl(nla_get_u32(attribute)));
}

void ReadRoute(nlmsghdr* message, std::vector<HostRoute>& routes) {
  std::array<nlattr*, RTA_MAX + 1> attributes = {};
  if (nlmsg_parse(message, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0) return;
  const auto* header = static_cast<rtmsg*>(nlmsg_data(message));
  if (header->rtm_family != AF_INET || attributes[RTA_OIF] == nullptr) return;
  const Ipv4Address network(ntohl(NumberOf(attributes[RTA_DST])));
  routes.push_back({.destination = Ipv4Prefix::Containing(network, header->rtm_dst_len),
                    .ifindex = static_cast<int>(NumberOf(attributes[RTA_OIF])),
                    .is_local = header->rtm_type != RTN_UNICAST,
                    .metric = NumberOf(attributes[RTA_PRIORITY]),
                    .gateway = GatewayOf(attributes[RTA_GATEWAY])});
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
