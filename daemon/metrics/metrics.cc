#include "daemon/metrics/metrics.h"

#include <prometheus/text_serializer.h>

#include <iterator>

#include "daemon/base/lost_log_lines.h"
#include "daemon/metrics/network_families.h"

namespace svnet {

namespace {

prometheus::MetricFamily LostLogLines() {
  prometheus::ClientMetric metric;
  metric.counter.value = static_cast<double>(lost_log_lines.load());
  return {.name = "svnet_log_lines_lost_total",
          .help = "Lines of the log that nobody took",
          .type = prometheus::MetricType::Counter,
          .metric = {metric}};
}

}  // namespace

Metrics::Metrics()
    : calls_(&registry_), connections_(&registry_), events_(&registry_), gates_(&registry_) {
  prometheus::BuildGauge()
      .Name("svnet_build_info")
      .Help("Always 1; which svnetd it is")
      .Register(registry_)
      .Add({{"version", SVNET_VERSION}})
      .Set(1);
  prometheus::BuildGauge()
      .Name("svnet_start_time_seconds")
      .Help("When svnetd started, since the epoch: counters begin then")
      .Register(registry_)
      .Add({})
      .SetToCurrentTime();
}

std::vector<prometheus::MetricFamily> Metrics::Collect(const MeasuresOfNetworks& measures) const {
  for (const auto& [network, measured] : measures) events_.Begin(network);
  std::vector<prometheus::MetricFamily> families = NetworkFamilies(measures);
  std::vector<prometheus::MetricFamily> counted = registry_.Collect();
  std::move(counted.begin(), counted.end(), std::back_inserter(families));
  families.push_back(LostLogLines());
  return families;
}

std::string Metrics::Render(const MeasuresOfNetworks& measures) const {
  return prometheus::TextSerializer().Serialize(Collect(measures));
}

}  // namespace svnet
