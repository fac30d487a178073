#include "daemon/kernel/link_requests.h"

#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/kernel/route_messages.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {
namespace {

absl::StatusOr<std::optional<Link>> GetLink(NetlinkSocket& socket, NetlinkMessage request) {
  request.Put(IFLA_EXT_MASK, uint32_t{RTEXT_FILTER_SKIP_STATS});
  std::optional<Link> link;
  const absl::Status status = socket.Get(
      std::move(request), [&](const NetlinkReader& message) { link = ParseLink(message); });
  if (ErrnoOf(status) == ENODEV) return std::nullopt;
  SVNET_RETURN_IF_ERROR(status);
  return link;
}

}  // namespace

absl::StatusOr<std::vector<Link>> DumpLinks(NetlinkSocket& socket) {
  const auto request = [] {
    NetlinkMessage message = NetlinkMessage(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
    message.Put(IFLA_EXT_MASK, uint32_t{RTEXT_FILTER_SKIP_STATS});
    return message;
  };
  std::vector<Link> links;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      request, [&] { links.clear(); },
      [&](const NetlinkReader& message) { links.push_back(ParseLink(message)); }));
  return links;
}

absl::StatusOr<std::optional<Link>> FindLink(NetlinkSocket& socket, const LinkName& name) {
  NetlinkMessage request = NetlinkMessage(RTM_GETLINK, 0, ifinfomsg{});
  request.PutText(IFLA_IFNAME, name.text());
  return GetLink(socket, std::move(request));
}

absl::StatusOr<std::optional<Link>> FindLink(NetlinkSocket& socket, Ifindex ifindex) {
  return GetLink(socket, NetlinkMessage(RTM_GETLINK, 0, ifinfomsg{.ifi_index = ifindex}));
}

absl::Status SettleCarrier(NetlinkSocket& socket, Ifindex ifindex) {
  NetlinkMessage request(RTM_GETLINK, 0, ifinfomsg{.ifi_index = ifindex});
  request.Put(IFLA_EXT_MASK, uint32_t{RTEXT_FILTER_SKIP_STATS});
  return socket.Get(std::move(request), [](const NetlinkReader&) {});
}

NetlinkMessage NoQueueRequest(Ifindex tap) {
  NetlinkMessage request =
      NetlinkMessage(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
                     tcmsg{.tcm_family = AF_UNSPEC, .tcm_ifindex = tap, .tcm_parent = TC_H_ROOT});
  request.PutText(TCA_KIND, "noqueue");
  return request;
}

absl::Status SetLinkUp(NetlinkSocket& socket, Ifindex link, bool up) {
  return socket.Transact(NetlinkMessage(
      RTM_SETLINK, 0,
      ifinfomsg{.ifi_index = link, .ifi_flags = up ? unsigned{IFF_UP} : 0u, .ifi_change = IFF_UP}));
}

}  // namespace svnet
