// A segment that is a Linux bridge: each TAP is a port of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/segment/bridge_neighbours.h"
#include "daemon/segment/bridge_ports.h"
#include "daemon/segment/gateway_bridge.h"
#include "daemon/segment/network_settings.h"
#include "daemon/segment/segment.h"

namespace svnet {

class BridgeSegment final : public Segment {
 public:
  // `kernel` must outlive it.
  BridgeSegment(const NetworkSettings& settings, Kernel* kernel);

  absl::Status CheckPrefix() override { return bridge_.CheckPrefix(); }
  absl::StatusOr<Found> Find() override { return bridge_.Find(); }
  absl::StatusOr<std::optional<Gateway>> FindGateway() override { return bridge_.FindGateway(); }
  absl::StatusOr<SegmentChange> Ensure(bool in_use) override;
  void Undo(const SegmentChange& change) override;
  absl::Status EnsureEntries(const LeaseTable& leases) override {
    return neighbours_.Ensure(gateway().ifindex, leases);
  }
  absl::StatusOr<bool> Release() override;

  absl::Status CheckCapacity() const override;
  uint32_t ZoneOf(const LeaseSpec& spec, Ifindex tap) const override;
  absl::StatusOr<TapState> Attach(OpenTap* tap, const LeaseSpec& spec) override;
  void NoteAttached(Ifindex tap) override { ports_.Insert(tap); }
  void NoteAdopted(const Lease& /*lease*/) override { MarkEntriesDirty(); }
  absl::Status Detach(const Lease& lease) override;
  absl::Status Reattach(const Lease& lease) override;
  std::string Compare(const Lease& lease, const Link& link) const override;
  bool HasEntries(const Lease& /*lease*/) override { return false; }
  absl::StatusOr<TapState> Repair(const Lease& lease, const Link& link) override;

  void Note(const KernelChanges& changes, const LeaseTable& leases) override;
  std::map<Ifindex, std::string> FindSpoilt(const KernelChanges& /*changes*/,
                                            const LeaseTable& /*leases*/) const override {
    return {};
  }
  void NoteLinks(const std::vector<Link>& links) override { ports_.Read(links, settings_.bridge); }
  void NoteDestroyed(Ifindex tap) override { ports_.Erase(tap); }
  void MarkDirty() override { bridge_.MarkDirty(); }
  void MarkEntriesDirty() override { neighbours_.MarkDirty(); }
  bool IsDirty() const override { return bridge_.IsDirty() || neighbours_.IsDirty(); }

  const Gateway& gateway() const override { return bridge_.gateway(); }
  Ifindex LinkOf(const Lease& /*lease*/) const override { return gateway().ifindex; }
  TapPlan plan() const override;
  TapPlan PlanAmong(const std::vector<Link>& links) const override;
  absl::StatusOr<SegmentStatus> Observe(const std::vector<Link>& links) override {
    return bridge_.Observe(links);
  }
  bool IsGood() const override { return true; }
  absl::Status AddConditions(bool in_use, std::vector<Condition>* conditions) override;

 private:
  const NetworkSettings settings_;
  Kernel* const kernel_;
  const uint32_t group_;  // of the TAPs of leases
  GatewayBridge bridge_;
  BridgeNeighbours neighbours_;
  absl::Status ipv6_off_;  // of the last TAP
  BridgePorts ports_;
};

}  // namespace svnet
