// What a bridge's link knows of its guests: which MAC has which address, for good.
#pragma once

#include "absl/status/status.h"
#include "daemon/base/ifindex.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease_table.h"

namespace svnet {

// Remembers whether the entries are those of the leases: dirty means that Ensure looks. Not
// thread-safe.
class BridgeNeighbours {
 public:
  // `kernel` must outlive it.
  explicit BridgeNeighbours(Kernel* kernel) : kernel_(*kernel) {}

  // Makes the bridge's entries those of `leases`, whatever an earlier svnetd left, if they are
  // dirty.
  absl::Status Ensure(Ifindex bridge, const LeaseTable& leases);
  // Deletes all of a bridge that stays.
  absl::Status DeleteAll(Ifindex bridge);

  // An error leaves none.
  absl::Status Set(const Lease& lease);
  absl::Status Delete(const Lease& lease);

  // What the kernel has said of changes.
  void Note(const KernelChanges& changes, Ifindex bridge, const LeaseTable& leases);
  void MarkDirty() { clean_ = false; }
  bool IsDirty() const { return !clean_; }

 private:
  absl::Status Replace(Ifindex bridge, const LeaseTable& leases);

  Kernel& kernel_;
  bool clean_ = false;
};

}  // namespace svnet
