// A segment without a bridge: the host routes each guest's address to its TAP.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/segment/gateway_bridge.h"
#include "daemon/segment/network_settings.h"
#include "daemon/segment/owner_groups.h"
#include "daemon/segment/segment.h"

namespace svnet {

// The gateway's address is on a bridge that has no ports. A TAP has no address: the host answers
// its guest's ARP for all others, and accepts from it what comes from the address that it routes
// there. So a TAP without its route is closed.
class RoutedSegment final : public Segment {
 public:
  // `kernel` must outlive it.
  RoutedSegment(const NetworkSettings& settings, Kernel* kernel);

  absl::Status CheckPrefix() override { return bridge_.CheckPrefix(); }
  absl::StatusOr<Found> Find() override { return bridge_.Find(); }
  absl::StatusOr<std::optional<Gateway>> FindGateway() override { return bridge_.FindGateway(); }
  absl::StatusOr<SegmentChange> Ensure(bool in_use) override;
  void Undo(const SegmentChange& change) override { bridge_.Undo(change); }
  absl::Status EnsureEntries(const LeaseTable& leases) override;
  absl::StatusOr<bool> Release() override;

  absl::Status CheckCapacity() const override;
  uint32_t ZoneOf(const LeaseSpec& spec, Ifindex tap) const override;
  absl::StatusOr<TapState> Attach(OpenTap* tap, const LeaseSpec& spec) override;
  void NoteAttached(Ifindex /*tap*/) override {}
  void NoteAdopted(const Lease& lease) override;
  absl::Status Detach(const Lease& lease) override;
  absl::Status Reattach(const Lease& lease) override;
  std::string Compare(const Lease& lease, const Link& link) const override;
  bool HasEntries(const Lease& lease) override;
  absl::StatusOr<TapState> Repair(const Lease& lease, const Link& link) override;

  void Note(const KernelChanges& changes, const LeaseTable& leases) override;
  std::map<Ifindex, std::string> FindSpoilt(const KernelChanges& changes,
                                            const LeaseTable& leases) const override;
  void NoteLinks(const std::vector<Link>& /*links*/) override {}
  void NoteDestroyed(Ifindex /*tap*/) override {}
  void MarkDirty() override { bridge_.MarkDirty(); }
  void MarkEntriesDirty() override { entries_clean_ = false; }
  bool IsDirty() const override { return bridge_.IsDirty() || !entries_clean_; }

  const Gateway& gateway() const override { return bridge_.gateway(); }
  Ifindex LinkOf(const Lease& lease) const override { return lease.state.ifindex; }
  TapPlan plan() const override;
  TapPlan PlanAmong(const std::vector<Link>& /*links*/) const override { return plan(); }
  absl::StatusOr<SegmentStatus> Observe(const std::vector<Link>& links) override;
  bool IsGood() const override { return !ignores_arp_; }
  absl::Status AddConditions(bool in_use, std::vector<Condition>* conditions) override;

 private:
  RoutedTapSpec SpecOf(const Lease& lease) const;
  absl::Status EnsureRoutes(const LeaseTable& leases);
  absl::Status EnsureNeighbours(const LeaseTable& leases);
  absl::Status UnlessDown(Ifindex tap, const absl::Status& status);
  GuestRoute RouteOf(const Lease& lease) const {
    return {.tap = lease.state.ifindex, .guest = lease.spec.ip};
  }

  const NetworkSettings settings_;
  Kernel* const kernel_;
  const uint32_t group_;  // DeriveRoutedGroup
  GatewayBridge bridge_;
  OwnerGroups groups_;
  bool entries_clean_ = false;  // routes and neighbours are those of the leases
  absl::Status ipv6_off_;       // of the last TAP
  bool ignores_arp_ = false;
};

}  // namespace svnet
