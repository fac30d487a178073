#include "client/doctor/consequences.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/doctor/finding.h"

namespace svnet::client {
namespace {

struct Consequence {
  const char* check;
  const char* cause;  // another check, which fails
};

// If both fail, the cause is what has to be fixed.
constexpr Consequence kConsequences[] = {{"systemd-unit", "configuration"},
                                         {"socket", "configuration"},
                                         {"answer", "configuration"},
                                         {"socket", "systemd-unit"},
                                         {"socket-group", "systemd-unit"},
                                         {"answer", "systemd-unit"},
                                         {"answer", "socket"},
                                         {"answer", "socket-group"},
                                         {"network-namespace", "answer"},
                                         {"tun-access", "tun-device"},
                                         {"bridge-address", "bridge-up"},
                                         {"link-forwarding", "bridge-up"}};

struct Report {
  const char* condition;  // its type
  const char* check;
};

// What svnetd reports as a condition, and the check that finds the same.
constexpr Report kReports[] = {{"FOREIGN_FIREWALL", "docker"},
                               {"FOREIGN_FIREWALL", "ufw"},
                               {"FOREIGN_FIREWALL", "firewalld"},
                               {"FOREIGN_FIREWALL", "iptables"},
                               {"FOREIGN_FIREWALL", "other-rules"},
                               {"FOREIGN_FIREWALL", "legacy-iptables"},
                               {"SUBNET_CONFLICT", "prefix"},
                               {"NETWORK_NOT_STARTED", "prefix"},
                               {"BRIDGE_MISSING", "bridge-up"},
                               {"BRIDGE_DOWN", "bridge-up"},
                               {"NOT_A_BRIDGE", "bridge-up"},
                               {"FORWARDING_OFF", "forwarding"},
                               {"FORWARDING_OFF", "link-forwarding"},
                               {"NAT_MISSING", "own-rules"},
                               {"CONNECTION_TABLE_NEARLY_FULL", "conntrack"}};

bool Fails(const Finding& finding) { return finding.level >= Level::kWarning; }

std::set<std::string> FailedChecks(const Diagnosis& diagnosis) {
  std::set<std::string> failed;
  for (const NamedFinding& named : diagnosis.findings) {
    // What will only keep svnetd from starting the next time is the cause of nothing now.
    const bool is_of_starts = named.check == "systemd-unit" || named.check == "configuration";
    const bool is_cause = !is_of_starts || named.finding.level == Level::kProblem;
    if (Fails(named.finding) && is_cause) failed.insert(named.check);
  }
  return failed;
}

// nullptr: none.
const char* CauseOf(const NamedFinding& named, const std::set<std::string>& failed) {
  const auto* found = std::find_if(
      std::begin(kConsequences), std::end(kConsequences), [&](const Consequence& each) {
        return named.check == each.check && failed.count(each.cause) > 0;
      });
  return found == std::end(kConsequences) ? nullptr : found->cause;
}

bool IsReportOf(const NamedFinding& named, const std::set<std::string>& failed) {
  if (named.check != "conditions" || !Fails(named.finding)) return false;
  return std::any_of(std::begin(kReports), std::end(kReports), [&](const Report& each) {
    return absl::StartsWith(named.finding.message, absl::StrCat(each.condition, ":")) &&
           failed.count(each.check) > 0;
  });
}

}  // namespace

Diagnosis WithoutConsequences(Diagnosis diagnosis) {
  const std::set<std::string> failed = FailedChecks(diagnosis);
  std::vector<NamedFinding> kept;
  bool has_conditions = false;
  bool had_conditions = false;
  for (NamedFinding& named : diagnosis.findings) {
    const bool is_report = IsReportOf(named, failed);
    had_conditions |= is_report;
    if (is_report) continue;
    has_conditions |= named.check == "conditions";
    const char* cause = Fails(named.finding) ? CauseOf(named, failed) : nullptr;
    if (cause != nullptr) named.finding = NotChecked(absl::StrCat("see ", cause)).front();
    kept.push_back(std::move(named));
  }
  if (had_conditions && !has_conditions) {
    kept.push_back({"conditions", Ok("svnetd reports only what is found here, too").front()});
  }
  return {std::move(kept)};
}

}  // namespace svnet::client
