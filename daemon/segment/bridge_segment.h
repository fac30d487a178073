// A segment that is a Linux bridge: each TAP is a port of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/segment/bridge_neighbours.h"
#include "daemon/segment/bridge_ports.h"
#include "daemon/segment/network_settings.h"
#include "daemon/segment/segment.h"

namespace svnet {

class BridgeSegment final : public Segment {
 public:
  // `kernel` must outlive it.
  BridgeSegment(const NetworkSettings& settings, Kernel* kernel);

  absl::Status CheckPrefix() override;
  absl::StatusOr<Found> Find() override;
  absl::StatusOr<SegmentChange> Ensure(bool in_use) override;
  void Undo(const SegmentChange& change) override;
  absl::Status EnsureEntries(const LeaseTable& leases) override {
    return neighbours_.Ensure(gateway_.ifindex, leases);
  }
  absl::StatusOr<bool> Release() override;

  absl::Status CheckCapacity() const override;
  absl::StatusOr<TapState> Attach(OpenTap* tap, const LeaseSpec& spec) override;
  void NoteAttached(Ifindex tap) override { ports_.Insert(tap); }
  absl::Status Detach(const Lease& lease) override;
  absl::Status Reattach(const Lease& lease) override;
  std::string Compare(const Lease& lease, const Link& link) const override;
  absl::StatusOr<TapState> Repair(const Lease& lease, const Link& link) override;

  void Note(const KernelChanges& changes, const LeaseTable& leases) override;
  void NoteLinks(const std::vector<Link>& links) override { ports_.Read(links, settings_.bridge); }
  void NoteDestroyed(Ifindex tap) override { ports_.Erase(tap); }
  void MarkDirty() override { bridge_clean_ = false; }
  void MarkEntriesDirty() override { neighbours_.MarkDirty(); }
  bool IsDirty() const override { return !bridge_clean_ || neighbours_.IsDirty(); }

  const Gateway& gateway() const override { return gateway_; }
  PortPlan plan() const override;
  PortPlan PlanAmong(const std::vector<Link>& links) const override;
  absl::StatusOr<SegmentStatus> Observe(const std::vector<Link>& links) override;
  absl::Status AddConditions(bool in_use, std::vector<Condition>* conditions) override;

 private:
  // True if the bridge, which svnetd made, had another name.
  absl::StatusOr<bool> EnsureName();
  absl::StatusOr<uint32_t> PlanMtu(const std::optional<Link>& bridge, bool in_use);
  void Remember(const Bridge& bridge);
  bool IsKnown() const { return gateway_.ifindex != 0; }
  // Whether a link is the bridge, or has its name, and is not as the bridge was.
  bool HasDrifted(const Link& link) const;
  BridgeSpec SpecWith(uint32_t mtu) const;

  const NetworkSettings settings_;
  Kernel* const kernel_;
  Gateway gateway_;    // the bridge, as it was last found or made
  bool ours_ = false;  // svnetd made it, now or earlier
  bool bridge_clean_ = false;
  BridgeNeighbours neighbours_;
  absl::Status ipv6_off_;               // of the last TAP
  std::optional<uint32_t> mtu_in_use_;  // of the bridge, while there are leases
  BridgePorts ports_;
};

}  // namespace svnet
