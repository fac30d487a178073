#include "client/doctor/doctor.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/json.h"
#include "client/table.h"
#include "client/terminal.h"
#include "client/text.h"
#include "daemon/base/nearest.h"

namespace svnet::client {
namespace {

struct LevelWords {
  const char* people;
  const char* json;
};

LevelWords WordsOf(Level level) {
  switch (level) {
    case Level::kOk:
      return {"ok", "ok"};
    case Level::kNotChecked:
      return {"not checked", "notChecked"};
    case Level::kWarning:
      return {"warning", "warning"};
    case Level::kProblem:
      return {"PROBLEM", "problem"};
  }
  return {"", ""};
}

std::string ColouredLevel(Level level, bool colour) {
  const std::string word = absl::StrFormat("%-11s", WordsOf(level).people);
  switch (level) {
    case Level::kOk:
      return Coloured(word, Colour::kGreen, colour);
    case Level::kWarning:
      return Coloured(word, Colour::kYellow, colour);
    case Level::kProblem:
      return Coloured(word, Colour::kRed, colour);
    case Level::kNotChecked:
      break;
  }
  return word;
}

std::string RenderFinding(const NamedFinding& named, bool colour) {
  const Finding& finding = named.finding;
  std::string text = absl::StrFormat("%s  %-17s  %s\n", ColouredLevel(finding.level, colour),
                                     named.check, Printable(finding.message));
  if (!finding.fix.empty()) {
    absl::StrAppend(&text, std::string(32, ' '),
                    "fix: ", Coloured(Printable(finding.fix), Colour::kBold, colour), "\n");
  }
  return text;
}

std::string Plural(int count, absl::string_view word) {
  return absl::StrCat(count, " ", word, count == 1 ? "" : "s");
}

std::string Summary(const Diagnosis& diagnosis) {
  return absl::StrCat("\n", diagnosis.Count(Level::kOk), " ok, ",
                      diagnosis.Count(Level::kNotChecked), " not checked, ",
                      Plural(diagnosis.Count(Level::kWarning), "warning"), ", ",
                      Plural(diagnosis.Count(Level::kProblem), "problem"), "\n");
}

// Each check that needs root says so; this says it once for all of them.
std::string HintOf(const Diagnosis& diagnosis) {
  const auto needs_root = [](const NamedFinding& named) {
    return named.finding.level == Level::kNotChecked &&
           absl::StartsWith(named.finding.message, "needs root");
  };
  const auto count =
      std::count_if(diagnosis.findings.begin(), diagnosis.findings.end(), needs_root);
  if (count == 0) return "";
  return absl::StrCat("sudo svnetctl doctor runs ", count, " more\n");
}

std::string RenderFindingJson(const NamedFinding& named) {
  return absl::StrCat("  {\"check\": ", JsonString(named.check),
                      ", \"level\": ", JsonString(WordsOf(named.finding.level).json),
                      ", \"message\": ", JsonString(named.finding.message),
                      ", \"fix\": ", JsonString(named.finding.fix), "}");
}

absl::StatusOr<Check> FindCheck(const std::string& id) {
  std::vector<std::string> ids;
  for (const Check& check : AllChecks()) {
    if (id == check.id) return check;
    ids.push_back(check.id);
  }
  const auto nearest = FindNearest(id, ids);
  return absl::InvalidArgumentError(
      absl::StrCat("there is no check '", id, "'",
                   nearest.has_value() ? absl::StrCat(": did you mean ", *nearest, "?") : "",
                   " (svnetctl doctor --list shows all)"));
}

}  // namespace

int Diagnosis::Count(Level level) const {
  return static_cast<int>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const NamedFinding& named) { return named.finding.level == level; }));
}

absl::StatusOr<std::vector<Check>> SelectChecks(const std::vector<std::string>& ids) {
  if (ids.empty()) return AllChecks();
  std::vector<Check> checks;
  for (const std::string& id : ids) {
    absl::StatusOr<Check> check = FindCheck(id);
    if (!check.ok()) return check.status();
    checks.push_back(*check);
  }
  return checks;
}

Diagnosis Examine(const std::vector<Check>& checks, const Observed& observed,
                  absl::FunctionRef<void(const char*)> progress) {
  Diagnosis diagnosis;
  for (const Check& check : checks) {
    progress(check.id);
    for (Finding& finding : check.examine(observed)) {
      diagnosis.findings.push_back({check.id, std::move(finding)});
    }
  }
  return diagnosis;
}

std::string RenderDiagnosis(const Diagnosis& diagnosis, bool colour) {
  std::vector<NamedFinding> findings = diagnosis.findings;
  std::stable_sort(findings.begin(), findings.end(),
                   [](const NamedFinding& a, const NamedFinding& b) {
                     return a.finding.level < b.finding.level;
                   });
  std::string text;
  for (const NamedFinding& named : findings) text += RenderFinding(named, colour);
  return text + Summary(diagnosis) + HintOf(diagnosis);
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
