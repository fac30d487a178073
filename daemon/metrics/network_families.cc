#include "daemon/metrics/network_families.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
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

using Read = std::function<Values(const NetworkMeasures&)>;

// One metric for each network and value.
MetricFamily Family(const MeasuresOfNetworks& all, const std::string& name, const std::string& help,
                    MetricType type, const std::string& label, const Read& read) {
  MetricFamily family = {.name = name, .help = help, .type = type, .metric = {}};
  for (const auto& [network, measures] : all) {
    if (!measures.ok()) continue;
    for (const auto& [value_of_label, value] : read(*measures)) {
      ClientMetric metric;
      metric.label.push_back({.name = "network", .value = network.text()});
      if (!label.empty()) metric.label.push_back({.name = label, .value = value_of_label});
      metric.gauge.value = value;
      metric.counter.value = value;
      family.metric.push_back(std::move(metric));
    }
  }
  return family;
}

MetricFamily Gauge(const MeasuresOfNetworks& all, const std::string& name, const std::string& help,
                   const std::function<double(const NetworkMeasures&)>& read) {
  return Family(all, name, help, MetricType::Gauge, "", [&](const NetworkMeasures& each) {
    return Values{{"", read(each)}};
  });
}

// A gauge that belongs to no network.
MetricFamily HostGauge(const std::string& name, const std::string& help, double value) {
  ClientMetric metric;
  metric.gauge.value = value;
  return {.name = name, .help = help, .type = MetricType::Gauge, .metric = {metric}};
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

Values DropsOf(const NetworkMeasures& measures, uint64_t DropCount::*what) {
  Values counts;
  for (const DropCount& drops : measures.drops) {
    if (drops.cause == DropCount::kAnnouncement) continue;
    counts[drops.cause] += static_cast<double>(drops.*what);
  }
  return counts;
}

Values AnnouncementsOf(const NetworkMeasures& measures) {
  double count = 0;
  for (const DropCount& each : measures.drops) {
    if (each.cause == DropCount::kAnnouncement) count += static_cast<double>(each.packets);
  }
  return {{"", count}};
}

// Of those that have any.
MetricFamily PortsGauge(const MeasuresOfNetworks& all, const std::string& name,
                        const std::string& help, const std::function<double(uint32_t)>& read) {
  return Family(all, name, help, MetricType::Gauge, "", [&](const NetworkMeasures& each) {
    const std::optional<uint32_t> used = each.status.infrastructure.segment.ports_used;
    return used.has_value() ? Values{{"", read(*used)}} : Values();
  });
}

MetricFamily ReadSuccess(const MeasuresOfNetworks& all) {
  MetricFamily family = {
      .name = "svnet_network_read_success",
      .help = "1: the state of the network could be read; 0: its other metrics are left out",
      .type = MetricType::Gauge,
      .metric = {}};
  for (const auto& [network, measures] : all) {
    ClientMetric metric;
    metric.label.push_back({.name = "network", .value = network.text()});
    metric.gauge.value = measures.ok() ? 1 : 0;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace

std::vector<MetricFamily> NetworkFamilies(const MeasuresOfNetworks& all) {
  std::vector<MetricFamily> families = {ReadSuccess(all)};
  const auto one_read =
      std::find_if(all.begin(), all.end(), [](const auto& each) { return each.second.ok(); });
  if (one_read == all.end()) return families;
  const NetworkMeasures& any = *one_read->second;  // they agree about the host
  families.insert(
      families.end(),
      {Gauge(all, "svnet_leases", "Leases",
             [](const NetworkMeasures& each) { return each.status.addresses_used; }),
       Gauge(all, "svnet_leases_attached", "Of these, those whose TAP a VMM holds open",
             [](const NetworkMeasures& each) { return each.attached; }),
       Family(all, "svnet_addresses", "Guest addresses of the prefix, by state", MetricType::Gauge,
              "state", [](const NetworkMeasures& each) { return AddressesOf(each.status); }),
       Gauge(all, "svnet_bridge_up", "1: the bridge exists and is up",
             [](const NetworkMeasures& each) {
               return each.status.infrastructure.segment.up ? 1 : 0;
             }),
       HostGauge("svnet_tracked_connections", "Connections that the kernel tracks, the host's too",
                 any.status.infrastructure.connections.used),
       HostGauge("svnet_tracked_connections_limit", "How many the kernel tracks; 0: not known",
                 any.status.infrastructure.connections.size),
       Gauge(all, "svnet_reaping_taps", "TAPs that are cut off and not yet destroyed",
             [](const NetworkMeasures& each) { return each.retired; }),
       HostGauge("svnet_watchers", "WatchTaps calls that run", any.watchers),
       Family(all, "svnet_conditions", "What is wrong, by type, as GetNetwork has it",
              MetricType::Gauge, "type",
              [](const NetworkMeasures& each) { return ConditionsOf(each.status); }),
       Family(all, "svnet_dropped_packets_total",
              "What the rules have dropped, by cause, since they were last made",
              MetricType::Counter, "cause",
              [](const NetworkMeasures& each) { return DropsOf(each, &DropCount::packets); }),
       Family(all, "svnet_dropped_bytes_total", "The same, in bytes", MetricType::Counter, "cause",
              [](const NetworkMeasures& each) { return DropsOf(each, &DropCount::bytes); }),
       Family(
           all, "svnet_announcements_total",
           "RARP and gratuitous ARP of guests that were restored, since the rules were last made",
           MetricType::Counter, "", AnnouncementsOf)});
  MetricFamily ports =
      PortsGauge(all, "svnet_bridge_ports", "Links on the bridge, whoever put them there",
                 [](uint32_t used) { return used; });
  if (ports.metric.empty()) return families;
  families.push_back(std::move(ports));
  families.push_back(PortsGauge(all, "svnet_bridge_ports_limit", "How many the kernel takes",
                                [](uint32_t) { return kMaxBridgePorts; }));
  return families;
}

}  // namespace svnet
