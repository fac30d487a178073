// Opens the queues of a lease's TAP.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"
#include "daemon/network/opened_tap.h"

namespace svnet {

// For its owner, whom the kernel would let do the same: svnetd, which may open every TAP, must have
// found the lease for the caller first. Errors have a reason of the contract.
class QueueOpener {
 public:
  explicit QueueOpener(Kernel* kernel) : kernel_(*kernel) {}

  // At most `most` more of those that are granted; to be repeated until it is complete. The first
  // time nobody may have the TAP open (TAP_ATTACHED), and what its last holder has set on it is
  // reset. An error: `opened` is of no use any more.
  absl::Status Open(const Lease& lease, size_t most, OpenedTap* opened);

 private:
  absl::Status CheckIsFree(const Lease& lease);
  absl::Status OpenOne(const Lease& lease, OpenedTap* opened);

  Kernel& kernel_;
};

}  // namespace svnet
