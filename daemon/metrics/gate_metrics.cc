#include "daemon/metrics/gate_metrics.h"

#include <string>

namespace svnet {

GateMetrics::GateMetrics(prometheus::Registry* registry)
    : gates_(prometheus::BuildGauge()
                 .Name("svnet_gates")
                 .Help("Processes that speak gRPC or HTTP with callers")
                 .Register(*registry)
                 .Add({})) {
  auto& family = prometheus::BuildCounter()
                     .Name("svnet_gates_ended_total")
                     .Help("Gates that have ended, by why")
                     .Register(*registry);
  for (size_t i = 0; i < ended_.size(); ++i) {
    ended_[i] = &family.Add({{"why", std::string(NameOf(static_cast<Why>(i)))}});
  }
}

absl::string_view GateMetrics::NameOf(Why why) {
  constexpr std::array<absl::string_view, 5> kNames = {"idle", "died", "stuck", "protocol",
                                                       "revoked"};
  return kNames[static_cast<size_t>(why)];
}

void GateMetrics::Made() { gates_.Increment(); }

void GateMetrics::Ended(Why why) {
  gates_.Decrement();
  ended_[static_cast<size_t>(why)]->Increment();
}

}  // namespace svnet
