#include "daemon/kernel/netlink_kernel.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"
#include "daemon/kernel/guest_entries.h"
#include "daemon/kernel/host_routes.h"
#include "daemon/kernel/link_requests.h"
#include "daemon/kernel/netlink_bridge.h"
#include "daemon/kernel/netlink_tap.h"
#include "daemon/kernel/process.h"
#include "daemon/kernel/route_messages.h"
#include "daemon/kernel/routed_tap.h"
#include "daemon/kernel/sysctl.h"
#include "daemon/kernel/tun_device.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {

absl::StatusOr<std::unique_ptr<NetlinkKernel>> NetlinkKernel::Open(
    const std::vector<Ipv4Prefix>& guests) {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_ROUTE));
  SVNET_ASSIGN_OR_RETURN(LinkMonitor monitor, LinkMonitor::Open(guests));
  UniqueFd ioctl_socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!ioctl_socket.valid()) return absl::ErrnoToStatus(errno, "socket");
  return std::unique_ptr<NetlinkKernel>(
      new NetlinkKernel(std::move(socket), std::move(ioctl_socket), std::move(monitor)));
}

absl::StatusOr<std::vector<Link>> NetlinkKernel::ListLinks() { return DumpLinks(socket_); }

absl::StatusOr<std::vector<LinkAddress>> NetlinkKernel::ListAddresses() {
  return DumpAddresses(socket_);
}

absl::StatusOr<std::vector<Route>> NetlinkKernel::ListRoutes() { return DumpRoutes(socket_); }

absl::StatusOr<RouteAnswer> NetlinkKernel::FindRoute(const RouteQuestion& question) {
  return svnet::FindRoute(socket_, question);
}

absl::StatusOr<std::optional<Link>> NetlinkKernel::FindLink(const LinkName& name) {
  return svnet::FindLink(socket_, name);
}

absl::StatusOr<std::optional<Link>> NetlinkKernel::FindLink(Ifindex ifindex) {
  return svnet::FindLink(socket_, ifindex);
}

absl::StatusOr<Bridge> NetlinkKernel::EnsureBridge(const BridgeSpec& spec) {
  return NetlinkBridge(&socket_, spec).Ensure();
}

absl::StatusOr<bool> NetlinkKernel::ReleaseBridge(const BridgeSpec& spec) {
  return NetlinkBridge(&socket_, spec).Release();
}

absl::StatusOr<bool> NetlinkKernel::IsForwarding() { return IsIpv4Forwarding(); }

absl::StatusOr<bool> NetlinkKernel::IsForwarding(Ifindex link) {
  NetlinkMessage request(RTM_GETNETCONF, 0, netconfmsg{.ncm_family = AF_INET});
  request.Put(NETCONFA_IFINDEX, link);
  bool forwarding = false;
  SVNET_RETURN_IF_ERROR(socket_.Get(std::move(request), [&](const NetlinkReader& message) {
    forwarding = message.attributes<netconfmsg>().Get<int>(NETCONFA_FORWARDING).value_or(0) != 0;
  }));
  return forwarding;
}

absl::StatusOr<bool> NetlinkKernel::IgnoresArp() { return IsArpIgnored(); }

absl::Status NetlinkKernel::EnableForwarding() {
  SVNET_RETURN_IF_ERROR(FaultPoint("forwarding"));
  return EnableIpv4Forwarding();
}

absl::Status NetlinkKernel::DisableForwarding() {
  SVNET_RETURN_IF_ERROR(FaultPoint("forwarding.off"));
  return DisableIpv4Forwarding();
}

absl::StatusOr<std::unique_ptr<OpenTap>> NetlinkKernel::OpenNewTap(const TapSpec& spec) {
  return NetlinkTap::Create(socket_, ioctl_socket_, spec);
}

absl::StatusOr<std::vector<Neighbour>> NetlinkKernel::ListNeighbours(Ifindex link) {
  SVNET_ASSIGN_OR_RETURN(const auto all, ListAllNeighbours());
  std::vector<Neighbour> neighbours;
  for (const auto& [at, neighbour] : all) {
    if (at == link) neighbours.push_back(neighbour);
  }
  return neighbours;
}

absl::StatusOr<std::vector<std::pair<Ifindex, Neighbour>>> NetlinkKernel::ListAllNeighbours() {
  return DumpNeighbours(socket_);
}

absl::StatusOr<std::optional<MacAddress>> NetlinkKernel::FindNeighbour(Ifindex link,
                                                                       Ipv4Address address) {
  return FindPermanentNeighbour(socket_, link, address);
}

absl::StatusOr<std::set<std::pair<Ifindex, MacAddress>>> NetlinkKernel::ListStaticMacs(
    Ifindex bridge) {
  auto macs = DumpStaticMacs(socket_, bridge);
  if (ErrnoOf(macs.status()) == ENODEV) macs.emplace();
  return macs;
}

absl::Status NetlinkKernel::SetNeighbour(Ifindex link, const Neighbour& neighbour) {
  SVNET_RETURN_IF_ERROR(FaultPoint("neighbour.set"));
  return WithContext(absl::StrCat("neighbour ", neighbour.address.ToString()),
                     socket_.Transact(NeighbourRequest(link, neighbour)));
}

absl::Status NetlinkKernel::DeleteNeighbour(Ifindex link, Ipv4Address address) {
  SVNET_RETURN_IF_ERROR(FaultPoint("neighbour.delete"));
  return svnet::DeleteNeighbour(socket_, link, address);
}

absl::StatusOr<std::vector<GuestRoute>> NetlinkKernel::ListGuestRoutes() {
  return DumpGuestRoutes(socket_);
}

absl::Status NetlinkKernel::SetGuestRoute(const GuestRoute& route, Ipv4Address gateway) {
  SVNET_RETURN_IF_ERROR(FaultPoint("route.set"));
  return WithContext(
      absl::StrCat("route to ", route.guest.ToString()),
      socket_.Transact(GuestRouteRequest(route, gateway, NLM_F_CREATE | NLM_F_REPLACE)));
}

absl::Status NetlinkKernel::DeleteGuestRoute(const GuestRoute& route) {
  SVNET_RETURN_IF_ERROR(FaultPoint("route.delete"));
  return svnet::DeleteGuestRoute(socket_, route);
}

absl::StatusOr<bool> NetlinkKernel::RepairTap(const Link& tap, const LinkName& name,
                                              const PortSpec& port) {
  if (tap.name != name.text()) {
    SVNET_RETURN_IF_ERROR(RenameLink(tap.ifindex, name));
  }
  return JoinBridge(socket_, tap.ifindex, port);
}

absl::Status NetlinkKernel::RepairRoutedTap(const Link& tap, const LinkName& name,
                                            const RoutedTapSpec& spec) {
  if (tap.name != name.text()) SVNET_RETURN_IF_ERROR(RenameLink(tap.ifindex, name));
  return RouteTapAgain(socket_, tap.ifindex, spec);
}

absl::Status NetlinkKernel::SetAlias(Ifindex tap, const std::string& alias) {
  SVNET_RETURN_IF_ERROR(FaultPoint("tap.alias"));
  NetlinkMessage request(RTM_SETLINK, 0, ifinfomsg{.ifi_index = tap});
  request.PutText(IFLA_IFALIAS, alias);
  return socket_.Transact(std::move(request));
}

absl::Status NetlinkKernel::RetireTap(Ifindex tap, uint32_t group) {
  SVNET_RETURN_IF_ERROR(FaultPoint("tap.retire"));
  NetlinkMessage request = NetlinkMessage(RTM_SETLINK, 0, ifinfomsg{.ifi_index = tap});
  request.Put(IFLA_GROUP, group);
  return socket_.Transact(std::move(request));
}

absl::Status NetlinkKernel::RenameLink(Ifindex link, const LinkName& name) {
  return WithContext("rename", Rename(link, name));
}

absl::Status NetlinkKernel::Rename(Ifindex link, const LinkName& name) {
  if (!renames_links_that_are_up_) SVNET_RETURN_IF_ERROR(SetLinkUp(socket_, link, false));
  NetlinkMessage request = NetlinkMessage(RTM_SETLINK, 0, ifinfomsg{.ifi_index = link});
  request.PutText(IFLA_IFNAME, name.text());
  const absl::Status status = socket_.Transact(std::move(request));
  if (ErrnoOf(status) != EBUSY || !renames_links_that_are_up_) return status;
  renames_links_that_are_up_ = false;
  return Rename(link, name);
}

absl::StatusOr<std::optional<UniqueFd>> NetlinkKernel::HoldTap(const LinkName& name, Ifindex tap) {
  return OpenQueue(name, tap, false);
}

absl::StatusOr<std::optional<UniqueFd>> NetlinkKernel::OpenQueue(const LinkName& name, Ifindex tap,
                                                                 bool multi_queue) {
  SVNET_ASSIGN_OR_RETURN(std::optional<TapDevice> device,
                         OpenTapDevice(ioctl_socket_, name, multi_queue));
  if (!device.has_value()) return std::nullopt;
  if (device->ifindex != tap) return absl::NotFoundError("another TAP has that name");
  return std::move(device->fd);
}

absl::Status NetlinkKernel::ResetQueueSettings(const UniqueFd& queue) {
  return ResetTapDevice(queue);
}

absl::StatusOr<Process> NetlinkKernel::OpenProcess(pid_t pid) { return OpenProcessOf(pid); }

}  // namespace svnet
