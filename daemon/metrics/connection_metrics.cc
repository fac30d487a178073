#include "daemon/metrics/connection_metrics.h"

namespace svnet {

ConnectionMetrics::ConnectionMetrics(prometheus::Registry* registry)
    : connections_(prometheus::BuildGauge()
                       .Name("svnet_connections")
                       .Help("Connections that are open, by what the caller is")
                       .Register(*registry)),
      root_(connections_.Add({{"class", "root"}})),
      administrators_(connections_.Add({{"class", "administrator"}})),
      users_(connections_.Add({{"class", "user"}})),
      refused_(connections_.Add({{"class", "refused"}})) {}

void ConnectionMetrics::Opened(const Caller& caller, const absl::Status& verdict) {
  Of(caller, verdict).Increment();
}

void ConnectionMetrics::Closed(const Caller& caller, const absl::Status& verdict) {
  Of(caller, verdict).Decrement();
}

prometheus::Gauge& ConnectionMetrics::Of(const Caller& caller, const absl::Status& verdict) {
  if (!verdict.ok()) return refused_;
  if (!caller.administrator) return users_;
  return caller.uid == 0 ? root_ : administrators_;
}

}  // namespace svnet
