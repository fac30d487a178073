// Reads the host's links, addresses and routes.
#pragma once

#include "absl/status/statusor.h"
#include "daemon/address/host_network.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// Three dumps of the kernel: once for each thing that is decided from it.
absl::StatusOr<HostNetwork> ReadHostNetwork(Kernel* kernel);

}  // namespace svnet
