#include "client/doctor/doctor.h"

#include <algorithm>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "client/json.h"
#include "client/table.h"
#include "daemon/base/nearest.h"
#include "daemon/base/network_name.h"

namespace svnet::client {
namespace {

const char* JsonWord(Level level) {
  switch (level) {
    case Level::kOk:
      return "ok";
    case Level::kNotChecked:
      return "notChecked";
    case Level::kWarning:
      return "warning";
    case Level::kProblem:
      return "problem";
  }
  return "";
}

bool NamesNetworks(const NamedFinding& named) {
  return std::any_of(named.networks.begin(), named.networks.end(),
                     [](const std::string& name) { return name != NetworkName::kDefault; });
}

std::string NetworksJson(const NamedFinding& named) {
  if (!NamesNetworks(named)) return "";
  return absl::StrCat(", \"networks\": [",
                      absl::StrJoin(named.networks, ", ",
                                    [](std::string* out, const std::string& name) {
                                      absl::StrAppend(out, JsonString(name));
                                    }),
                      "]");
}

std::string RenderFindingJson(const NamedFinding& named) {
  return absl::StrCat("  {\"check\": ", JsonString(named.check),
                      ", \"level\": ", JsonString(JsonWord(named.finding.level)),
                      ", \"message\": ", JsonString(MessageOf(named)),
                      ", \"fix\": ", JsonString(named.finding.fix), NetworksJson(named), "}");
}

absl::StatusOr<Check> FindCheck(const std::string& id) {
  std::vector<std::string> ids;
  for (const Check& check : AllChecks()) {
    if (id == check.id) return check;
    ids.emplace_back(check.id);
  }
  ids.insert(ids.end(), std::begin(kPacketChecks), std::end(kPacketChecks));
  const auto nearest = FindNearest(id, ids);
  return absl::InvalidArgumentError(
      absl::StrCat("there is no check '", id, "'",
                   nearest.has_value() ? absl::StrCat(": did you mean ", *nearest, "?") : ""));
}

void Add(const Check& check, Findings findings, const std::vector<std::string>& networks,
         Diagnosis& diagnosis) {
  for (Finding& finding : findings) {
    diagnosis.findings.push_back({check.id, std::move(finding), networks});
  }
}

void ExamineNetworks(const Check& check, Observed& observed, Diagnosis& diagnosis) {
  if (observed.examined.empty()) {
    const bool answers = !observed.svnetd.failure.has_value();
    Add(check, NotChecked(answers ? "this user may use no network" : "svnetd does not answer"), {},
        diagnosis);
  }
  for (const v1::GetNetworkResponse& network : observed.examined) {
    LookAt(network, observed);
    Add(check, check.examine(observed), {NameOf(network)}, diagnosis);
  }
}

}  // namespace

std::string MessageOf(const NamedFinding& named) {
  if (!NamesNetworks(named)) return named.finding.message;
  return absl::StrCat(named.networks.size() == 1 ? "network " : "networks ",
                      NameSome(named.networks), ": ", named.finding.message);
}

int Diagnosis::Count(Level level) const {
  return static_cast<int>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const NamedFinding& named) { return named.finding.level == level; }));
}

bool IsPacketCheck(absl::string_view id) {
  return std::find(std::begin(kPacketChecks), std::end(kPacketChecks), id) !=
         std::end(kPacketChecks);
}

absl::StatusOr<std::vector<Check>> SelectChecks(const std::vector<std::string>& ids) {
  if (ids.empty()) return AllChecks();
  std::vector<Check> checks;
  for (const std::string& id : ids) {
    if (IsPacketCheck(id)) continue;
    absl::StatusOr<Check> check = FindCheck(id);
    if (!check.ok()) return check.status();
    checks.push_back(*check);
  }
  return checks;
}

Diagnosis Examine(const std::vector<Check>& checks, const Observed& observed,
                  absl::FunctionRef<void(const char*)> progress) {
  Diagnosis diagnosis;
  Observed view = observed;
  for (const Check& check : checks) {
    progress(check.id);
    if (check.per_network) {
      ExamineNetworks(check, view, diagnosis);
    } else {
      Add(check, check.examine(observed), {}, diagnosis);
    }
  }
  return diagnosis;
}

std::string RenderDiagnosisJson(const Diagnosis& diagnosis) {
  std::vector<std::string> findings;
  for (const NamedFinding& named : diagnosis.findings) {
    findings.push_back(RenderFindingJson(named));
  }
  return absl::StrCat("{\n \"findings\": [\n", absl::StrJoin(findings, ",\n"),
                      "\n ],\n \"problems\": ", diagnosis.Count(Level::kProblem),
                      ",\n \"warnings\": ", diagnosis.Count(Level::kWarning), "\n}\n");
}

std::string RenderCheckList() {
  std::vector<Row> rows;
  for (const Check& check : AllChecks()) rows.push_back({check.id, check.title});
  return RenderTable(rows);
}

}  // namespace svnet::client
