#include "daemon/kernel/netlink_tap.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/kernel/link_requests.h"
#include "daemon/kernel/route_messages.h"
#include "daemon/kernel/routed_tap.h"
#include "daemon/kernel/sysctl.h"
#include "daemon/kernel/tun_device.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {
namespace {

// What the TAP is, while it is still down. It is up only after this: the kernel heeds
// IFLA_AF_SPEC after IFF_UP (net/core/rtnetlink.c, do_setlink), when the link-local
// address is already made.
NetlinkMessage DescribeRequest(Ifindex tap, const PortSpec& port, bool has_ipv6) {
  NetlinkMessage request = NetlinkMessage(RTM_SETLINK, 0, ifinfomsg{.ifi_index = tap});
  request.PutText(IFLA_IFALIAS, port.alias);
  request.Put(IFLA_ADDRESS, port.mac.octets());
  request.Put(IFLA_GROUP, port.group);
  request.Put(IFLA_MTU, port.mtu);
  request.Put(IFLA_MASTER, port.bridge);
  if (!has_ipv6) return request;
  // The host has nothing to say in IPv6 on a port: no address, no solicitations.
  {
    const Nest families(&request, IFLA_AF_SPEC);
    const Nest ipv6(&request, AF_INET6);
    request.Put(IFLA_INET6_ADDR_GEN_MODE, uint8_t{IN6_ADDR_GEN_MODE_NONE});
  }
  return request;
}

// A static entry of the bridge's forwarding database, which no port takes over by
// sending from that MAC (bridge(8): static, sticky).
NetlinkMessage PinRequest(Ifindex tap, const MacAddress& guest) {
  NetlinkMessage request = NetlinkMessage(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
                                          ndmsg{.ndm_family = AF_BRIDGE,
                                                .ndm_ifindex = tap,
                                                .ndm_state = NUD_NOARP,
                                                .ndm_flags = NTF_MASTER | NTF_STICKY});
  request.Put(NDA_LLADDR, guest.octets());
  return request;
}

ifinfomsg Up(Ifindex tap) { return {.ifi_index = tap, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}; }

NetlinkMessage HardenAndUpRequest(Ifindex tap, bool isolated) {
  NetlinkMessage request = NetlinkMessage(RTM_NEWLINK, 0, Up(tap));
  {
    const Nest info(&request, IFLA_LINKINFO);
    request.PutText(IFLA_INFO_SLAVE_KIND, "bridge");
    const Nest port(&request, IFLA_INFO_SLAVE_DATA);
    request.Put(IFLA_BRPORT_LEARNING, uint8_t{0});
    request.Put(IFLA_BRPORT_UNICAST_FLOOD, uint8_t{0});
    request.Put(IFLA_BRPORT_ISOLATED, static_cast<uint8_t>(isolated ? 1 : 0));
    request.Put(IFLA_BRPORT_GROUP_FWD_MASK, kForwardedGroups);
  }
  return request;
}

// Whether another process holds a queue: svnetd's own is one of those that are open.
absl::StatusOr<bool> IsShared(NetlinkSocket& socket, Ifindex tap) {
  std::optional<Link> link;
  SVNET_RETURN_IF_ERROR(
      socket.Get(NetlinkMessage(RTM_GETLINK, 0, ifinfomsg{.ifi_index = tap}),
                 [&](const NetlinkReader& message) { link = ParseLink(message); }));
  return link.has_value() && link->open_queues.value_or(1) > 1;
}

// Before it is up, so that it does not lose its carrier when svnetd lets go of it. That would cost
// the kernel much more, of all that are made a hundred a second at most; and of those for which it
// has not had the time, some get no packets when a VMM opens them. An error: then that is so.
void SwitchCarrierOff(NetlinkSocket& socket, const TapDevice& device) {
  if (SwitchCarrierOff(device.fd).ok()) SettleCarrier(socket, device.ifindex).IgnoreError();
}

absl::StatusOr<LinkName> MakeUnguessableName() {
  uint64_t number = 0;
  if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
    return absl::ErrnoToStatus(errno, "getrandom");
  }
  // 12 hex digits: as many as a link's name has room for.
  return LinkName::Parse(
      absl::StrCat("sv-", absl::Hex(number & 0xffff'ffff'ffff, absl::kZeroPad12)));
}

absl::Status GiveName(NetlinkSocket& socket, Ifindex tap, const LinkName& name) {
  SVNET_RETURN_IF_ERROR(FaultPoint("tap.name"));
  NetlinkMessage request = NetlinkMessage(RTM_SETLINK, 0, ifinfomsg{.ifi_index = tap});
  request.PutText(IFLA_IFNAME, name.text());
  const absl::Status status = socket.Transact(std::move(request));
  if (ErrnoOf(status) != EEXIST) return WithContext("name the TAP", status);
  return absl::AlreadyExistsError(absl::StrCat("there is a link ", name.text()));
}

// What a kernel says to a setting that it does not know.
bool IsUnsupported(const absl::Status& status) {
  const int error = ErrnoOf(status);
  return error == EOPNOTSUPP || error == EINVAL;
}

// Tells the bridge which MAC is behind the port, and brings it up with learning and
// flooding off. False, and the port is as it was, if this kernel cannot.
absl::StatusOr<bool> PinAndBringUp(NetlinkSocket& socket, Ifindex tap, const PortSpec& port) {
  SVNET_RETURN_IF_ERROR(FaultPoint("tap.pin"));
  absl::Status status = socket.Transact(PinRequest(tap, port.guest));
  if (status.ok()) status = FaultPoint("tap.up");
  if (status.ok()) status = socket.Transact(HardenAndUpRequest(tap, port.isolated));
  if (IsUnsupported(status)) return false;
  SVNET_RETURN_IF_ERROR(WithContext("pin the guest's MAC to its port", status));
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpenTap>> NetlinkTap::Create(NetlinkSocket& socket,
                                                            const UniqueFd& ioctl_socket,
                                                            const TapSpec& spec) {
  if (spec.multi_queue) return CreateMultiQueue(socket, ioctl_socket, spec);
  SVNET_ASSIGN_OR_RETURN(TapDevice device, CreateTapDevice(ioctl_socket, spec));
  SwitchCarrierOff(socket, device);
  // svnetd's own descriptor keeps all others out.
  return std::unique_ptr<OpenTap>(
      new NetlinkTap(socket, spec.name, std::move(device), /*shared=*/false));
}

// Until it has an owner, any process may open a queue of it: nobody knows its name by then,
// and whether somebody was quick enough all the same is asked once it has one.
absl::StatusOr<std::unique_ptr<OpenTap>> NetlinkTap::CreateMultiQueue(NetlinkSocket& socket,
                                                                      const UniqueFd& ioctl_socket,
                                                                      const TapSpec& spec) {
  TapSpec hidden = spec;
  SVNET_ASSIGN_OR_RETURN(hidden.name, MakeUnguessableName());
  SVNET_ASSIGN_OR_RETURN(TapDevice device, CreateTapDevice(ioctl_socket, hidden));
  SwitchCarrierOff(socket, device);
  SVNET_ASSIGN_OR_RETURN(const bool shared, IsShared(socket, device.ifindex));
  if (!shared) SVNET_RETURN_IF_ERROR(GiveName(socket, device.ifindex, spec.name));
  return std::unique_ptr<OpenTap>(new NetlinkTap(socket, spec.name, std::move(device), shared));
}

absl::Status NetlinkTap::SwitchIpv6Off() {
  const absl::Status status = DisableIpv6(name_).status();
  ipv6_ = !status.ok();
  return status;
}

absl::StatusOr<bool> NetlinkTap::Join(const PortSpec& port) {
  // While it is down: queues are made when it comes up. An error only costs more.
  socket_.Transact(NoQueueRequest(ifindex_)).IgnoreError();
  return JoinBridge(socket_, ifindex_, port);
}

absl::Status NetlinkTap::Route(const RoutedTapSpec& spec) {
  return RouteNewTap(socket_, ifindex_, spec, ipv6_);
}

absl::Status NetlinkTap::Persist() {
  SVNET_RETURN_IF_ERROR(FaultPoint("tap.persist"));
  return MakePersistent(device_);
}

absl::StatusOr<bool> JoinBridge(NetlinkSocket& socket, Ifindex tap, const PortSpec& port) {
  SVNET_RETURN_IF_ERROR(FaultPoint("tap.describe"));
  absl::Status joined = socket.Transact(DescribeRequest(tap, port, true));
  // A host without IPv6, or a TAP that somebody has given a smaller MTU than that takes.
  if (ErrnoOf(joined) == EAFNOSUPPORT) {
    joined = socket.Transact(DescribeRequest(tap, port, false));
  }
  if (ErrnoOf(joined) == EXFULL) {
    return Error(Reason::kBridgeFull,
                 absl::StrCat("the bridge has ", kMaxBridgePorts,
                              " ports, the kernel's limit: remove TAPs that are no longer used"));
  }
  SVNET_RETURN_IF_ERROR(WithContext("join the bridge", joined));
  SVNET_ASSIGN_OR_RETURN(const bool pinned, PinAndBringUp(socket, tap, port));
  if (pinned) return true;
  SVNET_RETURN_IF_ERROR(
      WithContext("bring the TAP up", socket.Transact(NetlinkMessage(RTM_SETLINK, 0, Up(tap)))));
  return false;
}

}  // namespace svnet
