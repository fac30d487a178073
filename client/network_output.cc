#include "client/network_output.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/table.h"
#include "client/text.h"

namespace svnet::client {
namespace {

std::string Bridge(const v1::GetNetworkResponse& network) {
  return absl::StrCat(
      network.bridge(),
      network.bridge_up() ? ", up" : ", does not exist yet: svnetd creates it with the first TAP");
}

std::string Addresses(const v1::GetNetworkResponse::Addresses& addresses) {
  std::string text = absl::StrCat(addresses.used(), " of ", addresses.total(), " used");
  if (addresses.reaping() > 0) absl::StrAppend(&text, ", ", addresses.reaping(), " free soon");
  return text;
}

std::string Ports(const v1::GetNetworkResponse::Ports& ports) {
  return absl::StrCat(ports.used(), " of ", ports.limit(), " used");
}

std::string RenderCondition(const v1::GetNetworkResponse::Condition& condition) {
  std::string text =
      absl::StrCat("  ", Printable(condition.type()), ": ", Printable(condition.message()), "\n");
  if (!condition.remedy().empty()) {
    absl::StrAppend(&text, "    remedy: ", Printable(condition.remedy()), "\n");
  }
  return text;
}

std::string RenderConditions(const v1::GetNetworkResponse& network) {
  if (network.conditions().empty()) return "no problems known\n";
  std::string text = "problems:\n";
  for (const auto& condition : network.conditions()) text += RenderCondition(condition);
  return text;
}

bool Has(const v1::GetNetworkResponse& network,
         const v1::GetNetworkResponse::Condition& condition) {
  return std::any_of(network.conditions().begin(), network.conditions().end(),
                     [&](const v1::GetNetworkResponse::Condition& each) {
                       return each.type() == condition.type() &&
                              each.message() == condition.message();
                     });
}

using Networks = std::vector<const v1::GetNetworkResponse*>;

Networks OthersThan(const v1::GetNetworkResponse& network, const v1::ListNetworksResponse& all) {
  Networks others;
  for (const auto& each : all.networks()) {
    if (each.name() != network.name()) others.push_back(&each);
  }
  return others;
}

// Problems of svnetd itself are those of each network: `shown` has them already.
std::string RenderOthers(const Networks& others, const v1::GetNetworkResponse& shown) {
  if (others.empty()) return "";
  const auto append_name = [](std::string* out, const v1::GetNetworkResponse* other) {
    *out += Printable(other->name());
  };
  std::string text = absl::StrCat("\nother networks: ", absl::StrJoin(others, ", ", append_name),
                                  " (svnetctl status --network NAME)\n");
  for (const v1::GetNetworkResponse* other : others) {
    std::string problems;
    for (const auto& condition : other->conditions()) {
      if (!Has(shown, condition)) problems += RenderCondition(condition);
    }
    if (problems.empty()) continue;
    absl::StrAppend(&text, "problems of ", Printable(other->name()), ":\n", problems);
  }
  return text;
}

// As lines of svnetd's file; empty: svnetd has only defaults, or is of before it said so.
std::string RenderChangedSettings(const v1::GetNetworkResponse& network) {
  std::string text;
  for (const auto& setting : network.settings()) {
    if (setting.is_default()) continue;
    absl::StrAppend(&text, "  ", Printable(setting.name()), " = ", Printable(setting.value()),
                    "\n");
  }
  return text.empty() ? "" : absl::StrCat("settings that are not the default:\n", text, "\n");
}

std::string Quota(uint32_t used, bool has_limit, uint32_t limit) {
  return has_limit ? absl::StrCat(used, " of ", limit) : absl::StrCat(used, ", without a limit");
}

std::string IsolationName(v1::Isolation isolation) {
  switch (isolation) {
    case v1::ISOLATION_NONE:
      return "none: all guests reach each other";
    case v1::ISOLATION_OWNER:
      return "owner: guests of different owners do not reach each other";
    case v1::ISOLATION_ALL:
      return "all: no guest reaches another";
    default:
      return "";  // an earlier svnetd does not say
  }
}

// What the caller has, and may have.
std::vector<Row> QuotaFacts(const v1::GetNetworkResponse::Quota& quota) {
  return {{"your TAPs", Quota(quota.taps(), quota.has_taps_limit(), quota.taps_limit())},
          {"your queues", Quota(quota.queues(), quota.has_queues_limit(), quota.queues_limit())}};
}

// "bridge"; "-": an earlier svnetd does not say, or this svnetctl does not know it.
std::string KindName(v1::NetworkKind kind) {
  if (kind == v1::NETWORK_KIND_BRIDGE) return "bridge";
  return kind == v1::NETWORK_KIND_ROUTED ? "routed" : "-";
}

std::string IsolationWord(v1::Isolation isolation) {
  const std::string text = IsolationName(isolation);
  return text.empty() ? "-" : text.substr(0, text.find(':'));
}

Row NetworkRow(const v1::GetNetworkResponse& network) {
  const auto& addresses = network.addresses();
  return {network.name(),
          KindName(network.kind()),
          network.bridge(),
          network.prefix(),
          network.gateway(),
          absl::StrCat(addresses.used(), " of ", addresses.total()),
          absl::StrCat(network.conditions_size())};
}

Row WideNetworkRow(const v1::GetNetworkResponse& network) {
  Row row = NetworkRow(network);
  row.pop_back();
  row.push_back(absl::StrCat(network.mtu()));
  row.push_back(IsolationWord(network.isolation()));
  row.push_back(network.bridge_up() ? "yes" : "no");
  row.push_back(
      network.conditions().empty()
          ? "-"
          : absl::StrJoin(network.conditions(), ",", [](std::string* out, const auto& condition) {
              *out += condition.type();
            }));
  return row;
}

std::string RenderNetworkRows(Row heading, const v1::ListNetworksResponse& response,
                              Row (*row)(const v1::GetNetworkResponse&)) {
  std::vector<Row> rows = {std::move(heading)};
  for (const auto& network : response.networks()) rows.push_back(row(network));
  return RenderTable(rows);
}

}  // namespace

std::string RenderNetworks(const v1::ListNetworksResponse& response) {
  return RenderNetworkRows({"NAME", "KIND", "BRIDGE", "SUBNET", "GATEWAY", "ADDRESSES", "PROBLEMS"},
                           response, NetworkRow);
}

std::string RenderNetworksWide(const v1::ListNetworksResponse& response) {
  return RenderNetworkRows({"NAME", "KIND", "BRIDGE", "SUBNET", "GATEWAY", "ADDRESSES", "MTU",
                            "ISOLATION", "UP", "PROBLEMS"},
                           response, WideNetworkRow);
}

std::string RenderNetworkNames(const v1::ListNetworksResponse& response) {
  std::string names;
  for (const auto& network : response.networks()) {
    absl::StrAppend(&names, Printable(network.name()), "\n");
  }
  return names;
}

std::string RenderNetwork(const v1::GetNetworkResponse& response,
                          const v1::ListNetworksResponse& all) {
  const Networks others = OthersThan(response, all);
  std::vector<Row> facts;
  if (!others.empty()) facts.push_back({"network", response.name()});
  facts.push_back({"bridge", Bridge(response)});
  facts.push_back({"prefix", response.prefix()});
  facts.push_back({"gateway", response.gateway()});
  facts.push_back({"mtu", absl::StrCat(response.mtu())});
  facts.push_back({"addresses", Addresses(response.addresses())});
  if (response.has_ports()) facts.push_back({"ports", Ports(response.ports())});
  if (response.kind() == v1::NETWORK_KIND_ROUTED) facts.push_back({"kind", "routed"});
  if (const std::string isolation = IsolationName(response.isolation()); !isolation.empty()) {
    facts.push_back({"isolation", isolation});
  }
  if (response.has_quota()) {
    for (Row& fact : QuotaFacts(response.quota())) facts.push_back(std::move(fact));
  }
  // An svnetd that answers has at least one, unless it is of an earlier version.
  if (response.gates() > 0) facts.push_back({"gates", absl::StrCat(response.gates())});
  facts.push_back({"svnetd", response.daemon_version()});
  return absl::StrCat(RenderTable(facts), "\n", RenderChangedSettings(response),
                      RenderConditions(response), RenderOthers(others, response));
}

}  // namespace svnet::client
