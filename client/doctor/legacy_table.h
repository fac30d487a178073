// The filter table of iptables-legacy, which nftables does not list.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "client/doctor/firewall_rules.h"

namespace svnet::client {

// Of the network namespace that the thread is in. PermissionDenied unless the caller is
// root. Makes the table if there is none.
absl::StatusOr<std::vector<FilterChain>> ReadLegacyFilter();

}  // namespace svnet::client
