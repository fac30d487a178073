// How many connections svnetd may have.
#pragma once

#include "daemon/accept/connection_counts.h"
#include "daemon/config/config.h"

namespace svnet {

// Raises this process's limit of descriptors to its maximum, and says what that is enough for.
ConnectionLimits RaiseDescriptorLimit(const Config& config);

}  // namespace svnet
