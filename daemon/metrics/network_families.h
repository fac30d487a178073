// The state of the network, as metrics. Pure.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "absl/status/statusor.h"
#include "daemon/network/network_status.h"

namespace svnet {

// Of an error nothing but that it was one.
std::vector<prometheus::MetricFamily> NetworkFamilies(
    const absl::StatusOr<MeasuresOfNetworks>& measures);

}  // namespace svnet
