// What svnetd counts and measures, as Prometheus reads it. docs/operations.md names all.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/metrics/call_metrics.h"
#include "daemon/metrics/connection_metrics.h"
#include "daemon/metrics/event_metrics.h"
#include "daemon/metrics/gate_metrics.h"
#include "daemon/network/network_manager.h"

namespace svnet {

// What happens is counted as it happens; what stands is asked for when somebody reads.
// Thread-safe, but for Observe.
class Metrics final : public prometheus::Collectable {
 public:
  Metrics();

  // How the network is measured. Set it before there are threads, and before the first
  // Collect.
  void Observe(std::function<absl::StatusOr<NetworkMeasures>()> measure) {
    measure_ = std::move(measure);
  }

  CallMetrics& calls() { return calls_; }
  ConnectionMetrics& connections() { return connections_; }
  EventMetrics& events() { return events_; }
  GateMetrics& gates() { return gates_; }

  std::vector<prometheus::MetricFamily> Collect() const override;
  // In the text format, version 0.0.4.
  std::string Render() const;

 private:
  prometheus::Registry registry_;
  CallMetrics calls_;
  ConnectionMetrics connections_;
  EventMetrics events_;
  GateMetrics gates_;
  std::function<absl::StatusOr<NetworkMeasures>()> measure_;
};

}  // namespace svnet
