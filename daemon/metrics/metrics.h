// What svnetd counts and measures, as Prometheus reads it. docs/operations.md names all.
#pragma once

#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/metrics/call_metrics.h"
#include "daemon/metrics/connection_metrics.h"
#include "daemon/metrics/event_metrics.h"
#include "daemon/metrics/gate_metrics.h"
#include "daemon/network/network_status.h"

namespace svnet {

// What happens is counted as it happens; what the networks are is measured when it is read, and
// passed in. Thread-safe.
class Metrics {
 public:
  Metrics();

  CallMetrics& calls() { return calls_; }
  ConnectionMetrics& connections() { return connections_; }
  EventMetrics& events() { return events_; }
  GateMetrics& gates() { return gates_; }

  std::vector<prometheus::MetricFamily> Collect(const MeasuresOfNetworks& measures) const;
  // In the text format, version 0.0.4.
  std::string Render(const MeasuresOfNetworks& measures) const;

 private:
  prometheus::Registry registry_;
  CallMetrics calls_;
  ConnectionMetrics connections_;
  EventMetrics events_;
  GateMetrics gates_;
};

}  // namespace svnet
