// The state of the network, as metrics. Pure.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "daemon/network/network_status.h"

namespace svnet {

// Of a network that could not be read nothing but that.
std::vector<prometheus::MetricFamily> NetworkFamilies(const MeasuresOfNetworks& all);

}  // namespace svnet
