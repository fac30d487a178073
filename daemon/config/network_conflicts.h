// Networks that cannot be on one host.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "daemon/config/config_file.h"
#include "daemon/config/network_config.h"

namespace svnet {

// InvalidArgument if there are more than 64, if two have the same bridge, overlapping prefixes or
// overlapping link groups (names both, and the place of the one that comes later), or if a peer is
// not another network. Pure.
absl::Status CheckNetworks(const std::vector<NetworkConfig>& networks, const KeyPlaces& places);
// The same of networks that are not all of one file: names the keys without a place.
absl::Status CheckNetworks(const std::vector<NetworkConfig>& networks);

}  // namespace svnet
