// Which networks svnetd serves, seen what the one before it has left.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/config/config.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// BRIDGE_SETUP_FAILED, with what to type, if leases stand of an svnetd that had another `bridge`
// for the default network: after that its tables are named. `served`: what that one served. Pure.
absl::Status CheckTablesNotMoved(const Config& config, const Config& served,
                                 const std::vector<Link>& links);

// Those of the configuration, and, closed, those that have gone from it and have left TAPs, or only
// their bridge, if that is in nobody's way. `served`: what the svnetd before it served; `links`:
// all of the host. BRIDGE_SETUP_FAILED, with what to type, if leases stand that were made with
// another `bridge` or `gateway_mac`, or if a network of the configuration is in the way of one that
// has gone. Pure.
absl::StatusOr<std::vector<NetworkConfig>> PlanNetworks(const Config& config,
                                                        const std::optional<Config>& served,
                                                        const std::vector<Link>& links);

// Both together, the default one first, the others by name. InvalidArgument if one that is wanted
// is in the way of one that stands. Pure.
absl::StatusOr<std::vector<NetworkConfig>> JoinNetworks(const std::vector<NetworkConfig>& standing,
                                                        const std::vector<NetworkConfig>& wanted);

}  // namespace svnet
