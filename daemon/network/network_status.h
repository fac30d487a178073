// The state of a network, as GetNetwork and the metrics show it.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/condition.h"
#include "daemon/base/network_name.h"
#include "daemon/firewall/firewall.h"
#include "daemon/lease/lease_table.h"
#include "daemon/segment/segment.h"

namespace svnet {

struct InfrastructureStatus {
  SegmentStatus segment;
  ConnectionTable connections;
  std::vector<Condition> conditions;
};

struct NetworkStatus {
  InfrastructureStatus infrastructure;
  std::vector<Condition> conditions;  // all
  uint32_t addresses_total = 0;
  uint32_t addresses_used = 0;     // by leases
  uint32_t addresses_reaping = 0;  // of retired TAPs
  Holdings held;                   // by the caller, in all networks
};

// What there is to count: GetNetwork's, and more.
struct NetworkMeasures {
  NetworkStatus status;
  uint32_t attached = 0;  // leases whose TAP has a carrier
  uint32_t retired = 0;   // TAPs that are cut off and not yet destroyed
  uint32_t watchers = 0;
  std::vector<DropCount> drops;
};

// An error: that network could not be read.
using MeasuresOfNetworks = std::map<NetworkName, absl::StatusOr<NetworkMeasures>>;

}  // namespace svnet
