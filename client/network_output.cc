#include "client/network_output.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

}  // namespace

std::string RenderNetwork(const v1::GetNetworkResponse& response) {
  std::vector<Row> facts = {{"bridge", Bridge(response)},
                            {"prefix", response.prefix()},
                            {"gateway", response.gateway()},
                            {"mtu", absl::StrCat(response.mtu())},
                            {"addresses", Addresses(response.addresses())}};
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
                      RenderConditions(response));
}

}  // namespace svnet::client
