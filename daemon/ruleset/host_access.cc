#include "absl/strings/str_cat.h"
#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

std::string RenderRules(const std::vector<HostPort>& ports) {
  std::string rules =
      "    ct state established,related accept\n"
      "    icmp type echo-request accept\n";
  for (const HostPort& port : ports) {
    absl::StrAppend(&rules, "    ", port.protocol == HostPort::Protocol::kTcp ? "tcp" : "udp",
                    " dport ", port.port, " accept\n");
  }
  return absl::StrCat(rules, "    counter name ~host_denied drop\n");
}

void Render(const RulesetNetwork& network, const RulesetContext& /*context*/, RulesetSlots* slots) {
  slots->Add("inet.counters", "  counter ~host_denied { }\n");
  if (!network.host_access) slots->Add("inet.host_from_guest", RenderRules(network.host_ports));
}

}  // namespace

const RulesetPart kHostAccess = {"host_access", nullptr, Render};

}  // namespace svnet
