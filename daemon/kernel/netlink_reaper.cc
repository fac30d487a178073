#include "daemon/kernel/netlink_reaper.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/kernel/conntrack.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {
namespace {

absl::Status IgnoreAbsent(const absl::Status& status) {
  return ErrnoOf(status) == ENODEV ? absl::OkStatus() : status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetlinkReaper>> NetlinkReaper::Open() {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket route, NetlinkSocket::Open(NETLINK_ROUTE));
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket netfilter, NetlinkSocket::Open(NETLINK_NETFILTER));
  return std::unique_ptr<NetlinkReaper>(new NetlinkReaper(std::move(route), std::move(netfilter)));
}

absl::Status NetlinkReaper::DeleteLink(Ifindex ifindex) {
  SVNET_RETURN_IF_ERROR(FaultPoint("reap.link"));
  return IgnoreAbsent(
      route_.Transact(NetlinkMessage(RTM_DELLINK, 0, ifinfomsg{.ifi_index = ifindex})));
}

absl::Status NetlinkReaper::DeleteGroup(uint32_t group) {
  NetlinkMessage request = NetlinkMessage(RTM_DELLINK, 0, ifinfomsg{});
  request.Put(IFLA_GROUP, group);
  SVNET_RETURN_IF_ERROR(FaultPoint("reap.group"));
  return IgnoreAbsent(route_.Transact(std::move(request)));
}

absl::Status NetlinkReaper::ForgetFlows(const std::set<Ipv4Address>& addresses) {
  SVNET_RETURN_IF_ERROR(FaultPoint("reap.flows"));
  return WithContext("connection tracking", DeleteFlows(netfilter_, addresses));
}

}  // namespace svnet
