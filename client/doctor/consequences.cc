#include "client/doctor/consequences.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
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
  // Whether each network reports what the check finds of one.
  bool of_all = false;
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
                               {"NAT_MISSING", "own-rules", true},
                               {"CONNECTION_TABLE_NEARLY_FULL", "conntrack"}};

bool Fails(const Finding& finding) { return finding.level >= Level::kWarning; }

// A check and the network that it is about; "": the host.
using Failed = std::set<std::pair<std::string, std::string>>;

std::string NetworkOf(const NamedFinding& named) {
  return named.networks.empty() ? "" : named.networks.front();
}

Failed FailedChecks(const Diagnosis& diagnosis) {
  Failed failed;
  for (const NamedFinding& named : diagnosis.findings) {
    // What will only keep svnetd from starting the next time is the cause of nothing now.
    const bool is_of_starts = named.check == "systemd-unit" || named.check == "configuration";
    const bool is_cause = !is_of_starts || named.finding.level == Level::kProblem;
    if (Fails(named.finding) && is_cause) failed.insert({named.check, NetworkOf(named)});
  }
  return failed;
}

// Whether the check fails for the host, or for the network that `named` is about.
bool FailsFor(const NamedFinding& named, const char* check, const Failed& failed) {
  return failed.count({check, ""}) > 0 || failed.count({check, NetworkOf(named)}) > 0;
}

bool FailsForAny(absl::string_view check, const Failed& failed) {
  return std::any_of(failed.begin(), failed.end(),
                     [&](const auto& each) { return each.first == check; });
}

// nullptr: none.
const char* CauseOf(const NamedFinding& named, const Failed& failed) {
  const auto* found = std::find_if(
      std::begin(kConsequences), std::end(kConsequences), [&](const Consequence& each) {
        return named.check == each.check && FailsFor(named, each.cause, failed);
      });
  return found == std::end(kConsequences) ? nullptr : found->cause;
}

bool IsReportOf(const NamedFinding& named, const Failed& failed) {
  if (named.check != "conditions" || !Fails(named.finding)) return false;
  return std::any_of(std::begin(kReports), std::end(kReports), [&](const Report& each) {
    return absl::StartsWith(named.finding.message, absl::StrCat(each.condition, ":")) &&
           (each.of_all ? FailsForAny(each.check, failed) : FailsFor(named, each.check, failed));
  });
}

void AddNew(absl::string_view text, std::vector<std::string>& texts) {
  const bool is_new = std::find(texts.begin(), texts.end(), text) == texts.end();
  if (is_new && !text.empty()) texts.emplace_back(text);
}

// One command that does them all. A comment has to be its end.
std::string JoinFixes(const std::vector<std::string>& fixes) {
  std::vector<std::string> commands;
  std::vector<std::string> comments;
  for (const std::string& fix : fixes) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(fix, absl::MaxSplits("  # ", 1));
    AddNew(parts.first, commands);
    AddNew(parts.second, comments);
  }
  return absl::StrCat(absl::StrJoin(commands, " && "), comments.empty() ? "" : "  # ",
                      absl::StrJoin(comments, "; "));
}

// Whether `named` says of one more network what `known` says of others.
bool IsSameOfAnother(const NamedFinding& named, const NamedFinding& known) {
  const std::vector<std::string>& networks = known.networks;
  return named.check == known.check && named.finding.level == known.finding.level &&
         named.finding.message == known.finding.message && !networks.empty() &&
         !named.networks.empty() &&
         std::find(networks.begin(), networks.end(), named.networks.front()) == networks.end();
}

// What is the same of several networks becomes one finding about all of them.
std::vector<NamedFinding> Merge(const std::vector<NamedFinding>& findings) {
  struct Merged {
    NamedFinding named;
    std::vector<std::string> fixes;
  };
  std::vector<Merged> all;
  for (const NamedFinding& named : findings) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const Merged& each) {
      return IsSameOfAnother(named, each.named);
    });
    if (same == all.end()) {
      all.push_back({named, {named.finding.fix}});
    } else {
      AddNew(named.networks.front(), same->named.networks);
      same->fixes.push_back(named.finding.fix);
    }
  }
  std::vector<NamedFinding> merged;
  for (Merged& each : all) {
    if (each.fixes.size() > 1) each.named.finding.fix = JoinFixes(each.fixes);
    merged.push_back(std::move(each.named));
  }
  return merged;
}

}  // namespace

Diagnosis WithoutConsequences(Diagnosis diagnosis) {
  const Failed failed = FailedChecks(diagnosis);
  std::vector<NamedFinding> kept;
  // Networks of which conditions are left, and of which they are left out.
  std::set<std::string> has_conditions;
  std::set<std::string> had_conditions;
  for (NamedFinding& named : diagnosis.findings) {
    if (IsReportOf(named, failed)) {
      had_conditions.insert(NetworkOf(named));
      continue;
    }
    if (named.check == "conditions") has_conditions.insert(NetworkOf(named));
    const char* cause = Fails(named.finding) ? CauseOf(named, failed) : nullptr;
    if (cause != nullptr) named.finding = NotChecked(absl::StrCat("see ", cause)).front();
    kept.push_back(std::move(named));
  }
  for (const std::string& network : had_conditions) {
    if (has_conditions.count(network) > 0) continue;
    kept.push_back(
        {"conditions", Ok("svnetd reports only what is found here, too").front(), {network}});
  }
  return {Merge(kept)};
}

}  // namespace svnet::client
