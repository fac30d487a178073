#include "daemon/address/host_network_reader.h"

#include "daemon/base/status_macros.h"

namespace svnet {

absl::StatusOr<HostNetwork> ReadHostNetwork(Kernel* kernel) {
  HostNetwork host;
  SVNET_ASSIGN_OR_RETURN(host.links, kernel->ListLinks());
  SVNET_ASSIGN_OR_RETURN(host.addresses, kernel->ListAddresses());
  SVNET_ASSIGN_OR_RETURN(host.routes, kernel->ListRoutes());
  return host;
}

}  // namespace svnet
