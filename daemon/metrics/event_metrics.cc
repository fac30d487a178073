#include "daemon/metrics/event_metrics.h"

#include "daemon/base/network_name.h"
#include "daemon/lease/ids.h"

namespace svnet {
namespace {

prometheus::Counter& AddCounter(prometheus::Registry* registry, const std::string& name,
                                const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry).Add(
      {{"network", std::string(NetworkName::kDefault)}});
}

}  // namespace

EventMetrics::EventMetrics(prometheus::Registry* registry)
    : repairs_(prometheus::BuildCounter()
                   .Name("svnet_repairs_total")
                   .Help("What another program had changed and svnetd has repaired, by what it was")
                   .Register(*registry)),
      ended_(AddCounter(registry, "svnet_leases_ended_total",
                        "Leases that ended by themselves: a process, a VMM or a TAP was gone")),
      failures_(AddCounter(registry, "svnet_failures_total",
                           "What svnetd could not do unasked; each is an error in the log")) {
  for (const char* of : {"bridge", "forwarding", "rules", "tap"}) RepairsOf(of);
}

void EventMetrics::Note(const TapEvent& event) {
  if (event.type == TapEvent::Type::kRemoved) ended_.Increment();
  if (event.type == TapEvent::Type::kFailed) failures_.Increment();
  for (const absl::string_view of : event.repaired) {
    RepairsOf(std::string(of)).Increment();
  }
}

prometheus::Counter& EventMetrics::RepairsOf(const std::string& of) {
  return repairs_.Add({{"network", std::string(NetworkName::kDefault)}, {"of", of}});
}

}  // namespace svnet
