#include "daemon/kernel/netlink_kernel.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"
#include "daemon/kernel/netlink_tap.h"
#include "daemon/kernel/process.h"
#include "daemon/kernel/route_messages.h"
#include "daemon/kernel/sysctl.h"
#include "daemon/kernel/tun_device.h"

namespace svnet {
namespace {

// IFA_PROTO of a gateway address that svnetd put on another's bridge: how
// ReleaseBridge, perhaps of a later svnetd, knows what to take back. Values below
// 4 are the kernel's; these are free (linux/if_addr.h).
constexpr uint8_t kAddressAdded = 0x73;
constexpr uint8_t kAddressAddedAndBroughtUp = 0x74;

// NDA_PROTOCOL of neighbours that svnetd has set: the operator's are left alone.
constexpr uint8_t kNeighbourSet = 0x73;

}  // namespace

absl::StatusOr<std::unique_ptr<NetlinkKernel>> NetlinkKernel::Open(const Ipv4Prefix& guests) {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_ROUTE));
  SVNET_ASSIGN_OR_RETURN(LinkMonitor monitor, LinkMonitor::Open(guests));
  UniqueFd ioctl_socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!ioctl_socket.valid()) return absl::ErrnoToStatus(errno, "socket");
  return std::unique_ptr<NetlinkKernel>(
      new NetlinkKernel(std::move(socket), std::move(ioctl_socket), std::move(monitor)));
}

absl::StatusOr<std::vector<Link>> NetlinkKernel::ListLinks() { return DumpLinks(socket_); }

absl::StatusOr<std::vector<LinkAddress>> NetlinkKernel::ListAddresses() {
  std::vector<LinkAddress> addresses;
  SVNET_RETURN_IF_ERROR(socket_.Dump(
      [] { return NetlinkMessage(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{.ifa_family = AF_INET}); },
      [&] { addresses.clear(); },
      [&](const NetlinkReader& message) {
        if (std::optional<LinkAddress> address = ParseAddress(message)) {
          addresses.push_back(*address);
        }
      }));
  return addresses;
}

absl::StatusOr<std::vector<Route>> NetlinkKernel::ListRoutes() {
  std::vector<Route> routes;
  SVNET_RETURN_IF_ERROR(socket_.Dump(
      [] { return NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP, rtmsg{.rtm_family = AF_INET}); },
      [&] { routes.clear(); },
      [&](const NetlinkReader& message) {
        if (std::optional<Route> route = ParseRoute(message)) routes.push_back(*route);
      }));
  return routes;
}

// Two questions: what the kernel would do, and by which route.
absl::StatusOr<RouteAnswer> NetlinkKernel::FindRoute(const RouteQuestion& question) {
  RouteAnswer answer;
  const absl::Status status =
      socket_.Get(AskForRoute(question, 0),
                  [&](const NetlinkReader& message) { answer = ParseRouteAnswer(message); });
  if (IsRoutingRefusal(ErrnoOf(status))) {
    return RouteAnswer{.dropped = true, .why = std::strerror(ErrnoOf(status))};
  }
  SVNET_RETURN_IF_ERROR(status);
  // A kernel that does not say it, or a route that has just gone: then none is preferred.
  socket_
      .Get(AskForRoute(question, RTM_F_FIB_MATCH),
           [&](const NetlinkReader& message) {
             answer.preferred_source = ParsePreferredSource(message);
           })
      .IgnoreError();
  return answer;
}

absl::StatusOr<std::optional<Link>> NetlinkKernel::FindLink(const LinkName& name) {
  NetlinkMessage request = NetlinkMessage(RTM_GETLINK, 0, ifinfomsg{});
  request.PutText(IFLA_IFNAME, name.text());
  return GetLink(std::move(request));
}

absl::StatusOr<std::optional<Link>> NetlinkKernel::FindLink(Ifindex ifindex) {
  return GetLink(NetlinkMessage(RTM_GETLINK, 0, ifinfomsg{.ifi_index = ifindex}));
}

absl::StatusOr<std::optional<Link>> NetlinkKernel::GetLink(NetlinkMessage request) {
  request.Put(IFLA_EXT_MASK, uint32_t{RTEXT_FILTER_SKIP_STATS});
  std::optional<Link> link;
  const absl::Status status = socket_.Get(
      std::move(request), [&](const NetlinkReader& message) { link = ParseLink(message); });
  if (ErrnoOf(status) == ENODEV) return std::nullopt;
  SVNET_RETURN_IF_ERROR(status);
  return link;
}

absl::StatusOr<Bridge> NetlinkKernel::EnsureBridge(const BridgeSpec& spec) {
  Bridge bridge;
  SVNET_ASSIGN_OR_RETURN(const Link link, FindOrCreateBridge(spec, &bridge.made));
  bridge.ifindex = link.ifindex;
  bridge.ours = IsOurs(link, spec.mac);
  bridge.mac = bridge.ours ? spec.mac : link.mac;
  bridge.mtu = bridge.ours ? spec.mtu : link.mtu;
  // What stood before as our own has ports, perhaps, and is not taken away.
  absl::Cleanup release = [&] {
    if (bridge.changed()) ReleaseBridge(spec).IgnoreError();
  };
  SVNET_RETURN_IF_ERROR(EnsureAddress(link, spec, &bridge));
  SVNET_RETURN_IF_ERROR(PutRight(link, spec, &bridge));
  std::move(release).Cancel();
  return bridge;
}

absl::Status NetlinkKernel::EnsureAddress(const Link& link, const BridgeSpec& spec,
                                          Bridge* bridge) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<BridgeAddress> present,
                         ListBridgeAddresses(link.ifindex));
  bool has_gateway = false;
  for (const BridgeAddress& address : present) {
    bridge->addresses.push_back(address.at.address);
    has_gateway |= address.at.address == spec.gateway && address.at.prefix == spec.prefix;
  }
  if (has_gateway) return absl::OkStatus();
  const uint8_t protocol = link.up ? kAddressAdded : kAddressAddedAndBroughtUp;
  SVNET_RETURN_IF_ERROR(
      ChangeAddress(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link.ifindex, spec, protocol));
  bridge->addresses.push_back(spec.gateway);
  bridge->given_address = true;
  return absl::OkStatus();
}

absl::StatusOr<Link> NetlinkKernel::FindOrCreateBridge(const BridgeSpec& spec, bool* created) {
  SVNET_ASSIGN_OR_RETURN(std::optional<Link> link, FindLink(spec.name));
  if (!link.has_value()) {
    SVNET_RETURN_IF_ERROR(CreateBridge(spec));
    *created = true;
    SVNET_ASSIGN_OR_RETURN(link, FindLink(spec.name));
  }
  if (!link.has_value()) {
    return absl::AbortedError(absl::StrCat("link ", spec.name.text(), " vanished"));
  }
  if (link->kind != LinkKind::kBridge) {
    return Error(Reason::kNotABridge,
                 absl::StrCat("link ", spec.name.text(),
                              " is no bridge: remove it, or set another `bridge`"));
  }
  if (link->name != spec.name.text()) {
    return Error(Reason::kNotABridge,
                 absl::StrCat("link ", link->name, " is called ", spec.name.text(),
                              ", too (an altname): `ip link property delete dev ", link->name,
                              " altname ", spec.name.text(), "`, or set another `bridge`"));
  }
  return *link;
}

absl::Status NetlinkKernel::CreateBridge(const BridgeSpec& spec) {
  NetlinkMessage request = NetlinkMessage(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.PutText(IFLA_IFNAME, spec.name.text());
  // Without an explicit MAC a bridge takes its lowest port's, which comes and goes.
  // It is also the mark, set in the same instant, that svnetd made this bridge.
  request.Put(IFLA_ADDRESS, spec.mac.octets());
  // Not yet the right one. A bridge's MTU follows its ports' until somebody sets it,
  // and to set what it is already does not count (net/core/dev.c, dev_set_mtu).
  request.Put(IFLA_MTU, spec.mtu + 1);
  {
    const Nest info(&request, IFLA_LINKINFO);
    request.PutText(IFLA_INFO_KIND, "bridge");
    const Nest data(&request, IFLA_INFO_DATA);
    request.Put(IFLA_BR_STP_STATE, uint32_t{0});
    // The default of 15 s would hold back a port's first packets if someone turned
    // STP on.
    request.Put(IFLA_BR_FORWARD_DELAY, uint32_t{0});
    // Snooping needs a querier, and there is none: without it multicast reaches all
    // ports, as broadcast does.
    request.Put(IFLA_BR_MCAST_SNOOPING, uint8_t{0});
  }
  SVNET_RETURN_IF_ERROR(FaultPoint("bridge.make"));
  const absl::Status status = socket_.Transact(std::move(request));
  // Somebody else made one in this instant: it is checked as one that stood before.
  return ErrnoOf(status) == EEXIST ? absl::OkStatus() : status;
}

// The bridge's settings, and "up" last of all: that it is up says that the rest was
// done.
absl::Status NetlinkKernel::PutRight(const Link& link, const BridgeSpec& spec, Bridge* bridge) {
  if (bridge->ours) {
    // No link-local address, and no router advertisement of a guest's is believed.
    SVNET_ASSIGN_OR_RETURN(const bool had_ipv6, DisableIpv6(spec.name));
    bridge->took_ipv6 = had_ipv6 && link.up;  // a new bridge has it
    SVNET_RETURN_IF_ERROR(StopSpanningTree(link));
    bridge->took_stp = link.stp;
  }
  const bool is_right =
      link.up && link.mtu == spec.mtu && link.mac == spec.mac && !link.alias.empty();
  if (bridge->ours && is_right) return absl::OkStatus();
  NetlinkMessage request = NetlinkMessage(
      RTM_SETLINK, 0,
      ifinfomsg{.ifi_index = link.ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  // Of another's bridge to itself: that pins it.
  request.Put(IFLA_ADDRESS, bridge->mac.octets());
  if (bridge->ours) request.Put(IFLA_MTU, spec.mtu);
  if (bridge->ours && link.alias.empty()) request.PutText(IFLA_IFALIAS, kBridgeAlias);
  SVNET_RETURN_IF_ERROR(FaultPoint("bridge.up"));
  SVNET_RETURN_IF_ERROR(socket_.Transact(std::move(request)));
  bridge->brought_up = !link.up;
  bridge->given_mtu = bridge->ours && link.mtu != spec.mtu;
  bridge->given_mac = link.mac != bridge->mac;
  return absl::OkStatus();
}

// A port would forward nothing for seconds.
absl::Status NetlinkKernel::StopSpanningTree(const Link& bridge) {
  if (!bridge.stp) return absl::OkStatus();
  NetlinkMessage request(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = bridge.ifindex});
  {
    const Nest info(&request, IFLA_LINKINFO);
    request.PutText(IFLA_INFO_KIND, "bridge");
    const Nest data(&request, IFLA_INFO_DATA);
    request.Put(IFLA_BR_STP_STATE, uint32_t{0});
  }
  return socket_.Transact(std::move(request));
}

absl::StatusOr<std::vector<NetlinkKernel::BridgeAddress>> NetlinkKernel::ListBridgeAddresses(
    Ifindex bridge) {
  std::vector<BridgeAddress> addresses;
  SVNET_RETURN_IF_ERROR(socket_.Dump(
      [&] {
        return NetlinkMessage(
            RTM_GETADDR, NLM_F_DUMP,
            ifaddrmsg{.ifa_family = AF_INET, .ifa_index = static_cast<uint32_t>(bridge)});
      },
      [&] { addresses.clear(); },
      [&](const NetlinkReader& message) {
        const std::optional<LinkAddress> address = ParseAddress(message);
        if (!address.has_value() || address->ifindex != bridge) return;
        addresses.push_back({.at = *address, .protocol = ParseAddressProtocol(message)});
      }));
  return addresses;
}

absl::Status NetlinkKernel::ChangeAddress(int type, int flags, Ifindex bridge,
                                          const BridgeSpec& spec, uint8_t protocol) {
  NetlinkMessage request =
      NetlinkMessage(type, flags,
                     ifaddrmsg{.ifa_family = AF_INET,
                               .ifa_prefixlen = static_cast<uint8_t>(spec.prefix.length()),
                               .ifa_index = static_cast<uint32_t>(bridge)});
  request.Put(IFA_LOCAL, htonl(spec.gateway.value()));
  request.Put(IFA_ADDRESS, htonl(spec.gateway.value()));
  if (type == RTM_NEWADDR) {
    request.Put(IFA_BROADCAST, htonl(spec.prefix.broadcast().value()));
    request.Put(IFA_PROTO, protocol);
  }
  SVNET_RETURN_IF_ERROR(FaultPoint(type == RTM_NEWADDR ? "bridge.address" : "bridge.address.take"));
  return WithContext(absl::StrCat("address ", spec.gateway.ToString(), "/", spec.prefix.length()),
                     socket_.Transact(std::move(request)));
}

absl::StatusOr<bool> NetlinkKernel::ReleaseBridge(const BridgeSpec& spec) {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, FindLink(spec.name));
  if (!link.has_value() || link->kind != LinkKind::kBridge) return false;
  if (!IsOurs(*link, spec.mac)) {
    SVNET_RETURN_IF_ERROR(ReleaseForeignBridge(*link, spec));
    return false;
  }
  SVNET_RETURN_IF_ERROR(DeleteBridge(link->ifindex));
  return true;
}

absl::Status NetlinkKernel::ReleaseForeignBridge(const Link& bridge, const BridgeSpec& spec) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<BridgeAddress> addresses,
                         ListBridgeAddresses(bridge.ifindex));
  for (const BridgeAddress& address : addresses) {
    const bool added =
        address.at.address == spec.gateway &&
        (address.protocol == kAddressAdded || address.protocol == kAddressAddedAndBroughtUp);
    if (!added) continue;
    SVNET_RETURN_IF_ERROR(ChangeAddress(RTM_DELADDR, 0, bridge.ifindex, spec, address.protocol));
    if (address.protocol == kAddressAddedAndBroughtUp) {
      SVNET_RETURN_IF_ERROR(SetUp(bridge.ifindex, false));
    }
  }
  return absl::OkStatus();
}

absl::Status NetlinkKernel::SetUp(Ifindex link, bool up) {
  return socket_.Transact(NetlinkMessage(
      RTM_SETLINK, 0,
      ifinfomsg{.ifi_index = link, .ifi_flags = up ? unsigned{IFF_UP} : 0u, .ifi_change = IFF_UP}));
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

absl::Status NetlinkKernel::EnableForwarding() {
  SVNET_RETURN_IF_ERROR(FaultPoint("forwarding"));
  return EnableIpv4Forwarding();
}

absl::Status NetlinkKernel::DisableForwarding() {
  SVNET_RETURN_IF_ERROR(FaultPoint("forwarding.off"));
  return DisableIpv4Forwarding();
}

absl::StatusOr<std::unique_ptr<OpenTap>> NetlinkKernel::OpenNewTap(const TapSpec& spec) {
  return NetlinkTap::Create(socket_, any_socket_, spec);
}

absl::StatusOr<std::vector<Neighbour>> NetlinkKernel::ListNeighbours(Ifindex link) {
  std::vector<Neighbour> neighbours;
  SVNET_RETURN_IF_ERROR(socket_.Dump(
      [] { return NetlinkMessage(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = AF_INET}); },
      [&] { neighbours.clear(); },
      [&](const NetlinkReader& message) {
        const auto each = ParsePermanentNeighbour(message, link, kNeighbourSet);
        if (each.has_value()) neighbours.push_back(*each);
      }));
  return neighbours;
}

absl::StatusOr<std::set<std::pair<Ifindex, MacAddress>>> NetlinkKernel::ListStaticMacs(
    Ifindex bridge) {
  std::set<std::pair<Ifindex, MacAddress>> macs;
  SVNET_RETURN_IF_ERROR(socket_.Dump(
      [bridge] {
        NetlinkMessage request =
            NetlinkMessage(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = AF_BRIDGE});
        request.Put(NDA_MASTER, bridge);
        return request;
      },
      [&] { macs.clear(); },
      [&](const NetlinkReader& message) {
        KernelChanges entry;
        ParseNeighbourChange(message, &entry);
        for (const auto& [at, is_static] : entry.static_macs) {
          if (is_static) macs.insert(at);
        }
      }));
  return macs;
}

absl::Status NetlinkKernel::SetNeighbour(Ifindex link, const Neighbour& neighbour) {
  NetlinkMessage request =
      NetlinkMessage(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
                     ndmsg{.ndm_family = AF_INET, .ndm_ifindex = link, .ndm_state = NUD_PERMANENT});
  request.Put(NDA_DST, htonl(neighbour.address.value()));
  request.Put(NDA_LLADDR, neighbour.mac.octets());
  request.Put(NDA_PROTOCOL, kNeighbourSet);
  SVNET_RETURN_IF_ERROR(FaultPoint("neighbour.set"));
  return WithContext(absl::StrCat("neighbour ", neighbour.address.ToString()),
                     socket_.Transact(std::move(request)));
}

absl::Status NetlinkKernel::DeleteNeighbour(Ifindex link, Ipv4Address address) {
  NetlinkMessage request =
      NetlinkMessage(RTM_DELNEIGH, 0, ndmsg{.ndm_family = AF_INET, .ndm_ifindex = link});
  request.Put(NDA_DST, htonl(address.value()));
  SVNET_RETURN_IF_ERROR(FaultPoint("neighbour.delete"));
  const absl::Status status = socket_.Transact(std::move(request));
  const int error = ErrnoOf(status);
  if (error == ENOENT || error == ENODEV) return absl::OkStatus();
  return WithContext(absl::StrCat("neighbour ", address.ToString()), status);
}

absl::StatusOr<bool> NetlinkKernel::RepairTap(const Link& tap, const LinkName& name,
                                              const PortSpec& port) {
  if (tap.name != name.text()) {
    SVNET_RETURN_IF_ERROR(RenameLink(tap.ifindex, name));
  }
  return JoinBridge(socket_, tap.ifindex, port);
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
  if (!renames_links_that_are_up_) SVNET_RETURN_IF_ERROR(SetUp(link, false));
  NetlinkMessage request = NetlinkMessage(RTM_SETLINK, 0, ifinfomsg{.ifi_index = link});
  request.PutText(IFLA_IFNAME, name.text());
  const absl::Status status = socket_.Transact(std::move(request));
  if (ErrnoOf(status) != EBUSY || !renames_links_that_are_up_) return status;
  renames_links_that_are_up_ = false;
  return Rename(link, name);
}

absl::StatusOr<std::optional<UniqueFd>> NetlinkKernel::HoldTap(const LinkName& name, Ifindex tap) {
  SVNET_ASSIGN_OR_RETURN(std::optional<TapDevice> device, HoldTapDevice(any_socket_, name));
  if (!device.has_value()) return std::nullopt;
  if (device->ifindex != tap) return absl::NotFoundError("another TAP has that name");
  return std::move(device->fd);
}

absl::StatusOr<Process> NetlinkKernel::OpenProcess(pid_t pid) { return OpenProcessOf(pid); }

absl::Status NetlinkKernel::DeleteBridge(Ifindex bridge) {
  SVNET_RETURN_IF_ERROR(FaultPoint("bridge.delete"));
  const absl::Status status =
      socket_.Transact(NetlinkMessage(RTM_DELLINK, 0, ifinfomsg{.ifi_index = bridge}));
  return ErrnoOf(status) == ENODEV ? absl::OkStatus() : status;
}

}  // namespace svnet
