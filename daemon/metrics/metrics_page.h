// The metrics, for a reader who only knows Prometheus' interface.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <utility>
#include <vector>

#include "daemon/metrics/metrics.h"
#include "daemon/network/network_status.h"

namespace svnet {

// Thread-safe.
class MetricsPage final : public prometheus::Collectable {
 public:
  using Measure = std::function<MeasuresOfNetworks()>;

  // `metrics` must outlive it.
  MetricsPage(const Metrics* metrics, Measure measure)
      : metrics_(*metrics), measure_(std::move(measure)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    return metrics_.Collect(measure_());
  }

 private:
  const Metrics& metrics_;
  const Measure measure_;
};

}  // namespace svnet
