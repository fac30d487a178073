// The link that has a network's gateway address: a Linux bridge, with or without ports.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/condition.h"
#include "daemon/kernel/kernel.h"
#include "daemon/segment/network_settings.h"
#include "daemon/segment/segment.h"

namespace svnet {

// Remembers it as it was last found or made, and whether it may have changed since: then it is
// dirty. Not thread-safe.
class GatewayBridge {
 public:
  // `kernel` must outlive it.
  GatewayBridge(const NetworkSettings& settings, Kernel* kernel)
      : settings_(settings), kernel_(kernel) {}

  // See Segment.
  absl::Status CheckPrefix();
  absl::StatusOr<Segment::Found> Find();
  absl::StatusOr<std::optional<Gateway>> FindGateway();
  absl::StatusOr<SegmentChange> Ensure(bool in_use);
  void Undo(const SegmentChange& change);
  absl::StatusOr<bool> Release();

  void Note(const KernelChanges& changes);
  void MarkDirty() { clean_ = false; }
  bool IsDirty() const { return !clean_; }

  bool IsKnown() const { return gateway_.ifindex != 0; }
  const Gateway& gateway() const { return gateway_; }
  absl::StatusOr<SegmentStatus> Observe(const std::vector<Link>& links);
  absl::Status AddConditions(bool in_use, std::vector<Condition>* conditions);

 private:
  // True if the bridge, which svnetd made, had another name.
  absl::StatusOr<bool> EnsureName();
  absl::StatusOr<uint32_t> PlanMtu(const std::optional<Link>& bridge, bool in_use);
  void Remember(const Bridge& bridge);
  // Whether a link is the bridge, or has its name, and is not as the bridge was.
  bool HasDrifted(const Link& link) const;
  BridgeSpec SpecWith(uint32_t mtu) const;

  const NetworkSettings settings_;
  Kernel* const kernel_;
  Gateway gateway_;
  bool ours_ = false;  // svnetd made it, now or earlier
  bool clean_ = false;
  std::optional<uint32_t> mtu_in_use_;  // of the bridge, while there are leases
};

}  // namespace svnet
