#include "daemon/kernel/netlink_bridge.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/kernel/link_requests.h"
#include "daemon/kernel/route_messages.h"
#include "daemon/kernel/sysctl.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {
namespace {

// IFA_PROTO of a gateway address that svnetd put on another's bridge: how
// ReleaseBridge, perhaps of a later svnetd, knows what to take back. Values below
// 4 are the kernel's; these are free (linux/if_addr.h).
constexpr uint8_t kAddressAdded = 0x73;
constexpr uint8_t kAddressAddedAndBroughtUp = 0x74;

}  // namespace

absl::StatusOr<Bridge> NetlinkBridge::Ensure() {
  Bridge bridge;
  SVNET_ASSIGN_OR_RETURN(const Link link, FindOrCreate(&bridge.made));
  bridge.ifindex = link.ifindex;
  bridge.ours = IsOurs(link, spec_.mac);
  bridge.mac = bridge.ours ? spec_.mac : link.mac;
  bridge.mtu = bridge.ours ? spec_.mtu : link.mtu;
  // A bridge of ours that existed before may have ports, and stays.
  absl::Cleanup release = [&] {
    if (bridge.changed()) Release().IgnoreError();
  };
  SVNET_RETURN_IF_ERROR(EnsureAddress(link, &bridge));
  SVNET_RETURN_IF_ERROR(Repair(link, &bridge));
  std::move(release).Cancel();
  return bridge;
}

absl::Status NetlinkBridge::EnsureAddress(const Link& link, Bridge* bridge) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Address> present, ListAddresses(link.ifindex));
  bool has_gateway = false;
  for (const Address& address : present) {
    bridge->addresses.push_back(address.at.address);
    has_gateway |= address.at.address == spec_.gateway && address.at.prefix == spec_.prefix;
  }
  if (has_gateway) return absl::OkStatus();
  const uint8_t protocol = link.up ? kAddressAdded : kAddressAddedAndBroughtUp;
  SVNET_RETURN_IF_ERROR(
      ChangeAddress(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link.ifindex, protocol));
  bridge->addresses.push_back(spec_.gateway);
  bridge->given_address = true;
  return absl::OkStatus();
}

absl::StatusOr<Link> NetlinkBridge::FindOrCreate(bool* created) {
  SVNET_ASSIGN_OR_RETURN(std::optional<Link> link, FindLink(*socket_, spec_.name));
  if (!link.has_value()) {
    SVNET_RETURN_IF_ERROR(Create());
    *created = true;
    SVNET_ASSIGN_OR_RETURN(link, FindLink(*socket_, spec_.name));
  }
  if (!link.has_value()) {
    return absl::AbortedError(absl::StrCat("link ", spec_.name.text(), " vanished"));
  }
  if (link->kind != LinkKind::kBridge) {
    return Error(Reason::kNotABridge,
                 absl::StrCat("link ", spec_.name.text(),
                              " is no bridge: remove it, or set another `bridge`"));
  }
  if (link->name != spec_.name.text()) {
    return Error(Reason::kNotABridge,
                 absl::StrCat("link ", link->name, " is called ", spec_.name.text(),
                              ", too (an altname): `ip link property delete dev ", link->name,
                              " altname ", spec_.name.text(), "`, or set another `bridge`"));
  }
  return *link;
}

absl::Status NetlinkBridge::Create() {
  NetlinkMessage request = NetlinkMessage(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.PutText(IFLA_IFNAME, spec_.name.text());
  // Without an explicit MAC a bridge takes its lowest port's, which comes and goes.
  // It is also the mark, set in the same instant, that svnetd made this bridge.
  request.Put(IFLA_ADDRESS, spec_.mac.octets());
  // Not yet the right one. A bridge's MTU follows its ports' until somebody sets it,
  // and to set what it is already does not count (net/core/dev.c, dev_set_mtu).
  request.Put(IFLA_MTU, spec_.mtu + 1);
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
  const absl::Status status = socket_->Transact(std::move(request));
  // Another program made one in this instant: it is treated as one that existed before.
  return ErrnoOf(status) == EEXIST ? absl::OkStatus() : status;
}

// The bridge's settings, and "up" last of all: a bridge that is up has all the rest.
absl::Status NetlinkBridge::Repair(const Link& link, Bridge* bridge) {
  if (bridge->ours) {
    // No link-local address, and no router advertisement of a guest's is believed.
    SVNET_ASSIGN_OR_RETURN(const bool had_ipv6, DisableIpv6(spec_.name));
    bridge->took_ipv6 = had_ipv6 && link.up;  // a new bridge has it
    SVNET_RETURN_IF_ERROR(StopSpanningTree(link));
    bridge->took_stp = link.stp;
  }
  const bool is_right =
      link.up && link.mtu == spec_.mtu && link.mac == spec_.mac && !link.alias.empty();
  if (bridge->ours && is_right) return absl::OkStatus();
  NetlinkMessage request = NetlinkMessage(
      RTM_SETLINK, 0,
      ifinfomsg{.ifi_index = link.ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  // Of another's bridge to itself: that pins it.
  request.Put(IFLA_ADDRESS, bridge->mac.octets());
  if (bridge->ours) request.Put(IFLA_MTU, spec_.mtu);
  if (bridge->ours && link.alias.empty()) request.PutText(IFLA_IFALIAS, kBridgeAlias);
  SVNET_RETURN_IF_ERROR(FaultPoint("bridge.up"));
  SVNET_RETURN_IF_ERROR(socket_->Transact(std::move(request)));
  bridge->brought_up = !link.up;
  bridge->given_mtu = bridge->ours && link.mtu != spec_.mtu;
  bridge->given_mac = link.mac != bridge->mac;
  return absl::OkStatus();
}

// A port would forward nothing for seconds.
absl::Status NetlinkBridge::StopSpanningTree(const Link& bridge) {
  if (!bridge.stp) return absl::OkStatus();
  NetlinkMessage request(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = bridge.ifindex});
  {
    const Nest info(&request, IFLA_LINKINFO);
    request.PutText(IFLA_INFO_KIND, "bridge");
    const Nest data(&request, IFLA_INFO_DATA);
    request.Put(IFLA_BR_STP_STATE, uint32_t{0});
  }
  return socket_->Transact(std::move(request));
}

absl::StatusOr<std::vector<NetlinkBridge::Address>> NetlinkBridge::ListAddresses(Ifindex bridge) {
  std::vector<Address> addresses;
  SVNET_RETURN_IF_ERROR(socket_->Dump(
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

absl::Status NetlinkBridge::ChangeAddress(int type, int flags, Ifindex bridge, uint8_t protocol) {
  NetlinkMessage request =
      NetlinkMessage(type, flags,
                     ifaddrmsg{.ifa_family = AF_INET,
                               .ifa_prefixlen = static_cast<uint8_t>(spec_.prefix.length()),
                               .ifa_index = static_cast<uint32_t>(bridge)});
  request.Put(IFA_LOCAL, htonl(spec_.gateway.value()));
  request.Put(IFA_ADDRESS, htonl(spec_.gateway.value()));
  if (type == RTM_NEWADDR) {
    request.Put(IFA_BROADCAST, htonl(spec_.prefix.broadcast().value()));
    request.Put(IFA_PROTO, protocol);
  }
  SVNET_RETURN_IF_ERROR(FaultPoint(type == RTM_NEWADDR ? "bridge.address" : "bridge.address.take"));
  return WithContext(absl::StrCat("address ", spec_.gateway.ToString(), "/", spec_.prefix.length()),
                     socket_->Transact(std::move(request)));
}

absl::StatusOr<bool> NetlinkBridge::Release() {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, FindLink(*socket_, spec_.name));
  if (!link.has_value() || link->kind != LinkKind::kBridge) return false;
  if (!IsOurs(*link, spec_.mac)) {
    SVNET_RETURN_IF_ERROR(ReleaseForeign(*link));
    return false;
  }
  SVNET_RETURN_IF_ERROR(Delete(link->ifindex));
  return true;
}

absl::Status NetlinkBridge::ReleaseForeign(const Link& bridge) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Address> addresses, ListAddresses(bridge.ifindex));
  for (const Address& address : addresses) {
    const bool added =
        address.at.address == spec_.gateway &&
        (address.protocol == kAddressAdded || address.protocol == kAddressAddedAndBroughtUp);
    if (!added) continue;
    SVNET_RETURN_IF_ERROR(ChangeAddress(RTM_DELADDR, 0, bridge.ifindex, address.protocol));
    if (address.protocol == kAddressAddedAndBroughtUp) {
      SVNET_RETURN_IF_ERROR(SetLinkUp(*socket_, bridge.ifindex, false));
    }
  }
  return absl::OkStatus();
}

absl::Status NetlinkBridge::Delete(Ifindex bridge) {
  SVNET_RETURN_IF_ERROR(FaultPoint("bridge.delete"));
  const absl::Status status =
      socket_->Transact(NetlinkMessage(RTM_DELLINK, 0, ifinfomsg{.ifi_index = bridge}));
  return ErrnoOf(status) == ENODEV ? absl::OkStatus() : status;
}

}  // namespace svnet
