#include "daemon/metrics/event_metrics.h"

#include "daemon/base/network_name.h"
#include "daemon/lease/ids.h"

namespace svnet {
namespace {

using Family = prometheus::Family<prometheus::Counter>;

Family& AddFamily(prometheus::Registry* registry, const std::string& name,
                  const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry);
}

prometheus::Counter& CounterOf(Family& family, const NetworkName& network) {
  return family.Add({{"network", network.text()}});
}

}  // namespace

EventMetrics::EventMetrics(prometheus::Registry* registry)
    : repairs_(AddFamily(registry, "svnet_repairs_total",
                         "What another program had changed and svnetd has repaired, by what it "
                         "was")),
      ended_(AddFamily(registry, "svnet_leases_ended_total",
                       "Leases that ended by themselves: a process, a VMM or a TAP was gone")),
      failures_(AddFamily(registry, "svnet_failures_total",
                          "What svnetd could not do unasked; each is an error in the log")) {
  Begin(NetworkName());
}

void EventMetrics::Begin(const NetworkName& network) const {
  CounterOf(ended_, network);
  CounterOf(failures_, network);
  for (const char* of : {"bridge", "forwarding", "rules", "tap"}) RepairsOf(network, of);
}

void EventMetrics::Note(const TapEvent& event) const {
  const NetworkName& network = NetworkOf(event);
  if (event.type == TapEvent::Type::kRemoved) CounterOf(ended_, network).Increment();
  if (event.type == TapEvent::Type::kFailed) CounterOf(failures_, network).Increment();
  for (const absl::string_view of : event.repaired) {
    RepairsOf(network, std::string(of)).Increment();
  }
}

prometheus::Counter& EventMetrics::RepairsOf(const NetworkName& network,
                                             const std::string& of) const {
  return repairs_.Add({{"network", network.text()}, {"of", of}});
}

}  // namespace svnet
