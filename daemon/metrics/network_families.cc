#include "daemon/metrics/network_families.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/ids.h"

namespace svnet {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Values by those of the family's label besides `network`; of a family without another, one
// by "".
using Values = std::map<std::string, double>;

MetricFamily Family(const std::string& name, const std::string& help, MetricType type,
                    const std::string& label, const Values& values) {
  MetricFamily family = {.name = name, .help = help, .type = type, .metric = {}};
  for (const auto& [value_of_label, value] : values) {
    ClientMetric metric;
    metric.label.push_back({.name = "network", .value = std::string(NetworkName::kDefault)});
    if (!label.empty()) metric.label.push_back({.name = label, .value = value_of_label});
    metric.gauge.value = value;
    metric.counter.value = value;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

MetricFamily Gauge(const std::string& name, const std::string& help, double value) {
  return Family(name, help, MetricType::Gauge, "", {{"", value}});
}

// A gauge that belongs to no network.
MetricFamily HostGauge(const std::string& name, const std::string& help, double value) {
  MetricFamily family = Gauge(name, help, value);
  family.metric.front().label.clear();
  return family;
}

Values AddressesOf(const NetworkStatus& status) {
  const double used = status.addresses_used;
  const double reaping = status.addresses_reaping;
  return {{"used", used}, {"reaping", reaping}, {"free", status.addresses_total - used - reaping}};
}

Values ConditionsOf(const NetworkStatus& status) {
  Values counts;
  for (const Condition& condition : status.conditions) ++counts[condition.type];
  return counts;
}

}  // namespace

std::vector<MetricFamily> NetworkFamilies(const absl::StatusOr<NetworkMeasures>& measures) {
  std::vector<MetricFamily> families = {
      Gauge("svnet_network_read_success",
            "1: the state of the network could be read; 0: its other metrics are left out",
            measures.ok() ? 1 : 0)};
  if (!measures.ok()) return families;
  const NetworkStatus& status = measures->status;
  Values packets;
  Values bytes;
  for (const DropCount& drops : measures->drops) {
    packets[drops.cause] = static_cast<double>(drops.packets);
    bytes[drops.cause] = static_cast<double>(drops.bytes);
  }
  families.insert(
      families.end(),
      {Gauge("svnet_leases", "Leases", status.addresses_used),
       Gauge("svnet_leases_attached", "Of these, those whose TAP a VMM holds open",
             measures->attached),
       Family("svnet_addresses", "Guest addresses of the prefix, by state", MetricType::Gauge,
              "state", AddressesOf(status)),
       Gauge("svnet_bridge_up", "1: the bridge exists and is up",
             status.infrastructure.segment.up ? 1 : 0),
       HostGauge("svnet_tracked_connections", "Connections that the kernel tracks, the host's too",
                 status.infrastructure.connections.used),
       HostGauge("svnet_tracked_connections_limit", "How many the kernel tracks; 0: not known",
                 status.infrastructure.connections.size),
       Gauge("svnet_reaping_taps", "TAPs that are cut off and not yet destroyed",
             measures->retired),
       HostGauge("svnet_watchers", "WatchTaps calls that run", measures->watchers),
       Family("svnet_conditions", "What is wrong, by type, as GetNetwork has it", MetricType::Gauge,
              "type", ConditionsOf(status)),
       Family("svnet_dropped_packets_total",
              "What the rules have dropped, by cause, since they were last made",
              MetricType::Counter, "cause", packets),
       Family("svnet_dropped_bytes_total", "The same, in bytes", MetricType::Counter, "cause",
              bytes)});
  if (const auto ports = status.infrastructure.segment.ports_used) {
    families.push_back(
        Gauge("svnet_bridge_ports", "Links on the bridge, whoever put them there", *ports));
    families.push_back(
        Gauge("svnet_bridge_ports_limit", "How many the kernel takes", kMaxBridgePorts));
  }
  return families;
}

}  // namespace svnet
