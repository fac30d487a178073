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
  return absl::StrCat(rules, "    counter name host_denied drop\n");
}

void Render(const RulesetSpec& spec, RulesetSlots* slots) {
  slots->Add("inet.counters", "  counter host_denied { }\n");
  if (!spec.host_access) slots->Add("inet.host_from_guest", RenderRules(spec.host_ports));
}

}  // namespace

const RulesetPart kHostAccess = {"host_access", Render};

}  // namespace svnet
