// How many connections svnetd may have.
#pragma once

#include "daemon/accept/server.h"
#include "daemon/config/config.h"

namespace svnet {

// Raises this process's limit of descriptors to its maximum, and says what that is enough for.
ServerLimits RaiseDescriptorLimit(const Config& config);

}  // namespace svnet
