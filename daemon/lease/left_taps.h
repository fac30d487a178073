// Whether what an earlier svnetd left fits the network as it is configured now.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "daemon/base/ipv4.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/drift.h"

namespace svnet {

// A TAP that is a lease of that network; nullptr: there is none. Pure.
const Link* FindLease(const std::vector<Link>& links, const TapPlan& network);

// BRIDGE_SETUP_FAILED if leases exist that were made with another `kind`, or another `subnet`:
// their guests would be cut off, or left without rules. Says what to type. Pure.
absl::Status CheckLeftTaps(const std::vector<Link>& links, const TapPlan& network,
                           const Ipv4Prefix& prefix);

}  // namespace svnet
