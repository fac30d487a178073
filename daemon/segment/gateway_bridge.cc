#include "daemon/segment/gateway_bridge.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/address/address_pool.h"
#include "daemon/address/host_network_reader.h"
#include "daemon/address/uplink.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/segment/bridge_status.h"

namespace svnet {
namespace {

constexpr uint32_t kDefaultMtu = 1500;  // without an uplink: Ethernet's

bool HasAddress(const std::vector<LinkAddress>& addresses, Ifindex link, Ipv4Address address) {
  return std::any_of(addresses.begin(), addresses.end(), [&](const LinkAddress& each) {
    return each.ifindex == link && each.address == address;
  });
}

}  // namespace

absl::Status GatewayBridge::CheckPrefix() {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> bridge, kernel_->FindLink(settings_.bridge));
  const Ifindex ours = bridge.has_value() ? bridge->ifindex : 0;
  SVNET_ASSIGN_OR_RETURN(const std::vector<LinkAddress> addresses, kernel_->ListAddresses());
  if (ours != 0 && HasAddress(addresses, ours, GatewayOf(settings_.prefix))) {
    return absl::OkStatus();
  }
  SVNET_ASSIGN_OR_RETURN(const HostNetwork host, ReadHostNetwork(kernel_));
  const std::optional<std::string> conflict = FindConflict(host, settings_.prefix, ours);
  if (!conflict.has_value()) return absl::OkStatus();
  return Error(Reason::kSubnetConflict,
               absl::StrCat("subnet ", settings_.prefix.ToString(), " overlaps ", *conflict,
                            ": set another `subnet`, or remove that"));
}

absl::StatusOr<Segment::Found> GatewayBridge::Find() {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(settings_.bridge));
  if (!link.has_value() || link->kind != LinkKind::kBridge) return Segment::Found::kNothing;
  return IsOurs(*link, settings_.bridge_mac) ? Segment::Found::kOurs : Segment::Found::kSomething;
}

absl::StatusOr<std::optional<Gateway>> GatewayBridge::FindGateway() {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(settings_.bridge));
  if (!link.has_value() || link->kind != LinkKind::kBridge) return std::nullopt;
  return Gateway{.ifindex = link->ifindex, .mac = link->mac, .mtu = link->mtu};
}

absl::StatusOr<SegmentChange> GatewayBridge::Ensure(bool in_use) {
  SVNET_ASSIGN_OR_RETURN(const bool renamed, EnsureName());
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(settings_.bridge));
  // Who has leases gets the bridge back; what overlaps stays a condition.
  if (!link.has_value() && !in_use) SVNET_RETURN_IF_ERROR(CheckPrefix());
  SVNET_ASSIGN_OR_RETURN(const uint32_t mtu, PlanMtu(link, in_use));
  SVNET_ASSIGN_OR_RETURN(const Bridge bridge, kernel_->EnsureBridge(SpecWith(mtu)));
  Remember(bridge);
  return SegmentChange{.made = bridge.made,
                       .can_be_undone = bridge.changed(),
                       // Such a bridge has none yet, or, with the MAC, has lost them.
                       .neighbours_lost = bridge.made || bridge.brought_up || bridge.given_mac,
                       .routes_lost = bridge.given_address,
                       .causes = CausesOf(bridge, renamed)};
}

void GatewayBridge::Remember(const Bridge& bridge) {
  gateway_ = {.ifindex = bridge.ifindex,
              .mac = bridge.mac,
              .mtu = bridge.mtu,
              .addresses = bridge.addresses};
  ours_ = bridge.ours;
  mtu_in_use_ = bridge.mtu;
  clean_ = true;
}

void GatewayBridge::Undo(const SegmentChange& change) {
  MarkDirty();
  if (change.can_be_undone) kernel_->ReleaseBridge(SpecWith(0)).IgnoreError();
}

absl::StatusOr<bool> GatewayBridge::EnsureName() {
  if (!IsKnown() || !ours_) return false;
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(gateway_.ifindex));
  if (!link.has_value() || link->name == settings_.bridge.text()) return false;
  SVNET_RETURN_IF_ERROR(kernel_->RenameLink(gateway_.ifindex, settings_.bridge));
  return true;
}

// While there are leases, the MTU does not change under running guests.
absl::StatusOr<uint32_t> GatewayBridge::PlanMtu(const std::optional<Link>& bridge, bool in_use) {
  if (settings_.mtu.has_value()) return *settings_.mtu;
  if (in_use && mtu_in_use_.has_value()) return *mtu_in_use_;
  if (bridge.has_value() && in_use) return bridge->mtu;
  SVNET_ASSIGN_OR_RETURN(const std::optional<Uplink> uplink, FindUplink(kernel_));
  return uplink.has_value() ? uplink->mtu : kDefaultMtu;
}

absl::StatusOr<bool> GatewayBridge::Release() {
  MarkDirty();
  gateway_ = {};
  mtu_in_use_.reset();
  return kernel_->ReleaseBridge(SpecWith(0));
}

void GatewayBridge::Note(const KernelChanges& changes) {
  for (const auto& [ifindex, link] : changes.links) {
    if (HasDrifted(link)) MarkDirty();
  }
  const Ifindex bridge = gateway_.ifindex;
  if (changes.gone.contains(bridge) || changes.addresses.contains(bridge)) MarkDirty();
  if (ours_ && changes.ipv6.contains(bridge)) MarkDirty();
}

bool GatewayBridge::HasDrifted(const Link& link) const {
  if (!IsKnown()) return false;  // it is dirty anyway
  if (link.ifindex != gateway_.ifindex) return link.name == settings_.bridge.text();
  return link.name != settings_.bridge.text() || !link.up || link.mac != gateway_.mac ||
         (ours_ && (link.mtu != gateway_.mtu || link.stp));
}

absl::Status GatewayBridge::AddConditions(bool in_use, std::vector<Condition>* conditions) {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> named, kernel_->FindLink(settings_.bridge));
  for (Condition& each : ConditionsOf(settings_.bridge, named, in_use)) {
    conditions->push_back(std::move(each));
  }
  return absl::OkStatus();
}

absl::StatusOr<SegmentStatus> GatewayBridge::Observe(const std::vector<Link>& links) {
  SegmentStatus status = ObserveBridge(settings_.bridge, links);
  const auto bridge = std::find_if(links.begin(), links.end(), [&](const Link& link) {
    return link.kind == LinkKind::kBridge && link.name == settings_.bridge.text();
  });
  SVNET_ASSIGN_OR_RETURN(
      status.mtu,
      PlanMtu(bridge == links.end() ? std::nullopt : std::make_optional(*bridge), true));
  return status;
}

BridgeSpec GatewayBridge::SpecWith(uint32_t mtu) const {
  return {.name = settings_.bridge,
          .mac = settings_.bridge_mac,
          .mtu = mtu,
          .gateway = GatewayOf(settings_.prefix),
          .prefix = settings_.prefix};
}

}  // namespace svnet
