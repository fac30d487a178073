// A CreateTap for a key that has a lease.
#pragma once

#include "absl/status/status.h"
#include "daemon/lease/lease_spec.h"
#include "daemon/network/requests.h"

namespace svnet {

// OK if `spec` is what `request` asks for; otherwise LEASE_CONFLICT. Pure.
absl::Status CheckRepeated(const LeaseSpec& spec, const TapRequest& request);

}  // namespace svnet
