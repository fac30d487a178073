// Reads the host's links, addresses and routes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "daemon/address/host_network.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// Three dumps of the kernel: once for each thing that is decided from it.
absl::StatusOr<HostNetwork> ReadHostNetwork(Kernel* kernel);

// The name of the link by which guests get out; empty: there is none, or it is not known.
std::string ReadUplink(Kernel* kernel);

}  // namespace svnet
