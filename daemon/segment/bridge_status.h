// The state of a bridge segment, for people.
#pragma once

#include <vector>

#include "daemon/kernel/kernel.h"
#include "daemon/segment/network_settings.h"
#include "daemon/segment/segment.h"

namespace svnet {

// All but the MTU, from all links of the host. `in_use`: there are leases.
SegmentStatus ObserveBridge(const NetworkSettings& settings, const std::vector<Link>& links,
                            bool in_use);

}  // namespace svnet
