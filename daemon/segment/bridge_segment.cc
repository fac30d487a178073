#include "daemon/segment/bridge_segment.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/names.h"
#include "daemon/segment/bridge_status.h"

namespace svnet {

BridgeSegment::BridgeSegment(const NetworkSettings& settings, Kernel* kernel)
    : settings_(settings),
      kernel_(kernel),
      group_(DeriveLinkGroup(settings.bridge)),
      bridge_(settings, kernel),
      neighbours_(kernel) {}

absl::StatusOr<SegmentChange> BridgeSegment::Ensure(bool in_use) {
  SVNET_ASSIGN_OR_RETURN(SegmentChange change, bridge_.Ensure(in_use));
  if (change.neighbours_lost) neighbours_.MarkDirty();
  return change;
}

void BridgeSegment::Undo(const SegmentChange& change) {
  MarkEntriesDirty();
  bridge_.Undo(change);
}

absl::StatusOr<bool> BridgeSegment::Release() {
  MarkEntriesDirty();
  ports_.Clear();
  SVNET_ASSIGN_OR_RETURN(const bool removed, bridge_.Release());
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

uint32_t BridgeSegment::ZoneOf(const LeaseSpec& spec, Ifindex tap) const {
  switch (settings_.isolation) {
    case Isolation::kNone:
      return 0;
    case Isolation::kOwner:
      return spec.key.owner;
    case Isolation::kAll:
      break;
  }
  return static_cast<uint32_t>(tap);
}

absl::StatusOr<TapState> BridgeSegment::Attach(OpenTap* tap, const LeaseSpec& spec) {
  Lease lease = {.spec = spec,
                 .state = {.ifindex = tap->ifindex(),
                           .mtu = gateway().mtu,
                           .bridge = gateway().ifindex,
                           .group = group_}};
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
  return bridge_.IsKnown() ? DescribeDrift(lease, link, plan()) : "";
}

absl::StatusOr<TapState> BridgeSegment::Repair(const Lease& lease, const Link& link) {
  TapState state = lease.state;
  SVNET_ASSIGN_OR_RETURN(state.pinned,
                         kernel_->RepairTap(link, lease.spec.tap, PlanPort(lease, plan())));
  state.bridge = gateway().ifindex;
  state.group = group_;
  return state;
}

void BridgeSegment::Note(const KernelChanges& changes, const LeaseTable& leases) {
  bridge_.Note(changes);
  ports_.Note(changes, gateway().ifindex);
  neighbours_.Note(changes, gateway().ifindex, leases);
  if (changes.lost) MarkEntriesDirty();
}

TapPlan BridgeSegment::plan() const {
  return {.network = settings_.name,
          .kind = NetworkKind::kBridge,
          .bridge_name = settings_.bridge,
          .bridge = gateway().ifindex,
          .group = group_,
          .mac = kTapMac,
          .isolated = settings_.isolation == Isolation::kAll};
}

TapPlan BridgeSegment::PlanAmong(const std::vector<Link>& links) const {
  TapPlan among = plan();
  for (const Link& link : links) {
    if (link.kind == LinkKind::kBridge && link.name == settings_.bridge.text()) {
      among.bridge = link.ifindex;
    }
  }
  return among;
}

absl::Status BridgeSegment::AddConditions(bool in_use, std::vector<Condition>* conditions) {
  SVNET_RETURN_IF_ERROR(bridge_.AddConditions(in_use, conditions));
  if (!ipv6_off_.ok()) conditions->push_back(Ipv6NotOff(ipv6_off_));
  return absl::OkStatus();
}

}  // namespace svnet
