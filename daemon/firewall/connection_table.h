// The kernel's connection tracking, of the network namespace of the calling thread.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "daemon/firewall/firewall.h"

namespace svnet {

// NotFound while the kernel tracks no connections: the first rule that needs it loads that.
absl::StatusOr<ConnectionTable> ReadConnectionTable();

}  // namespace svnet
