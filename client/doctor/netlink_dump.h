// Links, addresses and routes of the network namespace that the thread is in
// (rtnetlink(7)).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "client/doctor/host.h"

namespace svnet::client {

absl::StatusOr<std::vector<HostLink>> DumpLinks();
absl::StatusOr<std::vector<HostAddress>> DumpAddresses();
// From all tables; only routes that lead to a link.
absl::StatusOr<std::vector<HostRoute>> DumpRoutes();

}  // namespace svnet::client
