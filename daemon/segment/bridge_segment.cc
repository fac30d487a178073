#include "daemon/segment/bridge_segment.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/address/address_pool.h"
#include "daemon/address/host_network_reader.h"
#include "daemon/address/uplink.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/names.h"
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

BridgeSegment::BridgeSegment(const NetworkSettings& settings, Kernel* kernel)
    : settings_(settings), kernel_(kernel), neighbours_(kernel) {}

absl::Status BridgeSegment::CheckPrefix() {
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

absl::StatusOr<Segment::Found> BridgeSegment::Find() {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(settings_.bridge));
  if (!link.has_value() || link->kind != LinkKind::kBridge) return Found::kNothing;
  return IsOurs(*link, settings_.bridge_mac) ? Found::kOurs : Found::kSomething;
}

absl::StatusOr<SegmentChange> BridgeSegment::Ensure(bool in_use) {
  SVNET_ASSIGN_OR_RETURN(const bool renamed, EnsureName());
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(settings_.bridge));
  if (!link.has_value()) SVNET_RETURN_IF_ERROR(CheckPrefix());
  SVNET_ASSIGN_OR_RETURN(const uint32_t mtu, PlanMtu(link, in_use));
  SVNET_ASSIGN_OR_RETURN(const Bridge bridge, kernel_->EnsureBridge(SpecWith(mtu)));
  Remember(bridge);
  return SegmentChange{
      .made = bridge.made, .can_be_undone = bridge.changed(), .causes = CausesOf(bridge, renamed)};
}

void BridgeSegment::Remember(const Bridge& bridge) {
  gateway_ = {.ifindex = bridge.ifindex,
              .mac = bridge.mac,
              .mtu = bridge.mtu,
              .addresses = bridge.addresses};
  ours_ = bridge.ours;
  mtu_in_use_ = bridge.mtu;
  bridge_clean_ = true;
  // Such a bridge has no neighbours yet, or, with the MAC, has lost them.
  if (bridge.made || bridge.brought_up || bridge.given_mac) neighbours_.MarkDirty();
}

void BridgeSegment::Undo(const SegmentChange& change) {
  MarkDirty();
  MarkEntriesDirty();
  if (change.can_be_undone) kernel_->ReleaseBridge(SpecWith(0)).IgnoreError();
}

absl::StatusOr<bool> BridgeSegment::EnsureName() {
  if (!IsKnown() || !ours_) return false;
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(gateway_.ifindex));
  if (!link.has_value() || link->name == settings_.bridge.text()) return false;
  SVNET_RETURN_IF_ERROR(kernel_->RenameLink(gateway_.ifindex, settings_.bridge));
  return true;
}

// While there are leases, the MTU does not change under running guests.
absl::StatusOr<uint32_t> BridgeSegment::PlanMtu(const std::optional<Link>& bridge, bool in_use) {
  if (settings_.mtu.has_value()) return *settings_.mtu;
  if (in_use && mtu_in_use_.has_value()) return *mtu_in_use_;
  if (bridge.has_value() && in_use) return bridge->mtu;
  SVNET_ASSIGN_OR_RETURN(const std::optional<Uplink> uplink, FindUplink(kernel_));
  return uplink.has_value() ? uplink->mtu : kDefaultMtu;
}

absl::StatusOr<bool> BridgeSegment::Release() {
  MarkDirty();
  MarkEntriesDirty();
  gateway_ = {};
  mtu_in_use_.reset();
  ports_.Clear();
  SVNET_ASSIGN_OR_RETURN(const bool removed, kernel_->ReleaseBridge(SpecWith(0)));
  if (removed) return true;
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> bridge, kernel_->FindLink(settings_.bridge));
  if (bridge.has_value()) SVNET_RETURN_IF_ERROR(neighbours_.DeleteAll(bridge->ifindex));
  return false;
}

absl::Status BridgeSegment::CheckCapacity() const {
  if (ports_.size() < kMaxBridgePorts) return absl::OkStatus();
  return Error(Reason::kBridgeFull,
               absl::StrCat("bridge ", settings_.bridge.text(), " has ", ports_.size(),
                            " ports, the kernel's limit: remove TAPs that are no longer used"));
}

absl::StatusOr<TapState> BridgeSegment::Attach(OpenTap* tap, const LeaseSpec& spec) {
  Lease lease = {
      .spec = spec,
      .state = {.ifindex = tap->ifindex(), .mtu = gateway_.mtu, .bridge = gateway_.ifindex}};
  SVNET_RETURN_IF_ERROR(Reattach(lease));
  absl::Cleanup detach = [&] { Detach(lease).IgnoreError(); };
  ipv6_off_ = tap->SwitchIpv6Off();
  SVNET_ASSIGN_OR_RETURN(lease.state.pinned, tap->Join(PlanPort(lease, plan())));
  std::move(detach).Cancel();
  return lease.state;
}

absl::Status BridgeSegment::Reattach(const Lease& lease) {
  const absl::Status status = neighbours_.Set(lease);
  if (!status.ok()) MarkDirty();  // the bridge may be gone
  return status;
}

absl::Status BridgeSegment::Detach(const Lease& lease) {
  const absl::Status status = neighbours_.Delete(lease);
  if (!status.ok()) MarkDirty();
  return status;
}

std::string BridgeSegment::Compare(const Lease& lease, const Link& link) const {
  // A TAP cannot be on a bridge that is not known yet.
  return IsKnown() ? DescribeDrift(lease, link, plan()) : "";
}

absl::StatusOr<TapState> BridgeSegment::Repair(const Lease& lease, const Link& link) {
  TapState state = lease.state;
  SVNET_ASSIGN_OR_RETURN(state.pinned,
                         kernel_->RepairTap(link, lease.spec.tap, PlanPort(lease, plan())));
  state.bridge = gateway_.ifindex;
  return state;
}

void BridgeSegment::Note(const KernelChanges& changes, const LeaseTable& leases) {
  for (const auto& [ifindex, link] : changes.links) {
    if (HasDrifted(link)) MarkDirty();
  }
  const Ifindex bridge = gateway_.ifindex;
  ports_.Note(changes, bridge);
  if (changes.gone.contains(bridge) || changes.addresses.contains(bridge)) MarkDirty();
  if (ours_ && changes.ipv6.contains(bridge)) MarkDirty();
  neighbours_.Note(changes, bridge, leases);
}

bool BridgeSegment::HasDrifted(const Link& link) const {
  if (!IsKnown()) return false;  // it is dirty anyway
  if (link.ifindex != gateway_.ifindex) return link.name == settings_.bridge.text();
  return link.name != settings_.bridge.text() || !link.up || link.mac != gateway_.mac ||
         (ours_ && (link.mtu != gateway_.mtu || link.stp));
}

PortPlan BridgeSegment::plan() const {
  return {.bridge_name = settings_.bridge,
          .bridge = gateway_.ifindex,
          .group = DeriveLinkGroup(settings_.bridge),
          .isolated = settings_.isolation == Isolation::kAll};
}

PortPlan BridgeSegment::PlanAmong(const std::vector<Link>& links) const {
  PortPlan among = plan();
  for (const Link& link : links) {
    if (link.kind == LinkKind::kBridge && link.name == settings_.bridge.text()) {
      among.bridge = link.ifindex;
    }
  }
  return among;
}

absl::Status BridgeSegment::AddConditions(bool in_use, std::vector<Condition>* conditions) {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> named, kernel_->FindLink(settings_.bridge));
  for (Condition& each : ConditionsOf(settings_.bridge, named, in_use)) {
    conditions->push_back(std::move(each));
  }
  if (!ipv6_off_.ok()) conditions->push_back(Ipv6NotOff(ipv6_off_));
  return absl::OkStatus();
}

absl::StatusOr<SegmentStatus> BridgeSegment::Observe(const std::vector<Link>& links) {
  SegmentStatus status = ObserveBridge(settings_.bridge, links);
  const auto bridge = std::find_if(links.begin(), links.end(), [&](const Link& link) {
    return link.kind == LinkKind::kBridge && link.name == settings_.bridge.text();
  });
  SVNET_ASSIGN_OR_RETURN(
      status.mtu,
      PlanMtu(bridge == links.end() ? std::nullopt : std::make_optional(*bridge), true));
  return status;
}

BridgeSpec BridgeSegment::SpecWith(uint32_t mtu) const {
  return {.name = settings_.bridge,
          .mac = settings_.bridge_mac,
          .mtu = mtu,
          .gateway = GatewayOf(settings_.prefix),
          .prefix = settings_.prefix};
}

}  // namespace svnet
