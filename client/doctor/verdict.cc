#include "client/doctor/verdict.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/doctor/finding.h"
#include "client/terminal.h"
#include "client/text.h"

namespace svnet::client {
namespace {

constexpr size_t kIndent = 32;     // the columns of level and check
constexpr size_t kNarrowest = 24;  // columns for a message, beside level and check

std::string ColouredLevel(Level level, bool colour) {
  const auto padded = [](const char* word) { return absl::StrFormat("%-11s", word); };
  switch (level) {
    case Level::kOk:
      return Coloured(padded("ok"), Colour::kGreen, colour);
    case Level::kWarning:
      return Coloured(padded("warning"), Colour::kYellow, colour);
    case Level::kProblem:
      return Coloured(padded("PROBLEM"), Colour::kRed, colour);
    case Level::kNotChecked:
      break;
  }
  return padded("not checked");
}

// Breaks `text` between words, where it would be longer than `columns`.
std::string Wrap(absl::string_view text, size_t columns, absl::string_view indent) {
  std::string wrapped;
  size_t used = 0;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    const bool fits = used + 1 + word.size() <= columns;
    if (used > 0) absl::StrAppend(&wrapped, fits ? " " : absl::StrCat("\n", indent));
    used = used > 0 && fits ? used + 1 + word.size() : word.size();
    absl::StrAppend(&wrapped, word);
  }
  return wrapped;
}

// On a narrow terminal the message begins a line of its own. A fix is never broken: it is to be
// copied.
std::string RenderFinding(const NamedFinding& named, const Layout& layout) {
  const Finding& finding = named.finding;
  const bool is_narrow = layout.width != 0 && layout.width < kIndent + kNarrowest;
  const std::string indent(is_narrow ? 2 : kIndent, ' ');
  const size_t columns =
      layout.width == 0 ? SIZE_MAX : std::max(layout.width, kNarrowest) - indent.size();
  const std::string level = ColouredLevel(finding.level, layout.colour);
  std::string text = is_narrow ? absl::StrCat(level, "  ", named.check, "\n", indent)
                               : absl::StrFormat("%s  %-17s  ", level, named.check);
  absl::StrAppend(&text, Wrap(Printable(MessageOf(named)), columns, indent), "\n");
  if (finding.fix.empty()) return text;
  absl::StrAppend(&text, indent,
                  "fix: ", Coloured(Printable(finding.fix), Colour::kBold, layout.colour), "\n");
  return text;
}

std::string Plural(size_t count, absl::string_view word) {
  return absl::StrCat(count, " ", word, count == 1 ? "" : "s");
}

std::vector<std::string> ChecksOf(const Diagnosis& diagnosis, Level level) {
  std::vector<std::string> checks;
  for (const NamedFinding& named : diagnosis.findings) {
    const bool is_new = std::find(checks.begin(), checks.end(), named.check) == checks.end();
    if (named.finding.level == level && is_new) checks.push_back(named.check);
  }
  return checks;
}

std::string CountAndNames(const Diagnosis& diagnosis, Level level, absl::string_view word) {
  return absl::StrCat(Plural(static_cast<size_t>(diagnosis.Count(level)), word), ": ",
                      absl::StrJoin(ChecksOf(diagnosis, level), ", "));
}

std::string Verdict(const Diagnosis& diagnosis) {
  std::vector<std::string> parts;
  if (diagnosis.Count(Level::kProblem) > 0) {
    parts.push_back(CountAndNames(diagnosis, Level::kProblem, "problem"));
  } else {
    std::set<std::string> checks;
    for (const NamedFinding& named : diagnosis.findings) {
      if (named.finding.level != Level::kNotChecked) checks.insert(named.check);
    }
    if (checks.empty()) return "nothing could be checked\n";
    parts.push_back(
        absl::StrCat("svnet works: ", Plural(checks.size(), "check"),
                     diagnosis.Count(Level::kWarning) == 0 ? ", nothing wrong" : ", no problem"));
  }
  if (diagnosis.Count(Level::kWarning) > 0) {
    parts.push_back(CountAndNames(diagnosis, Level::kWarning, "warning"));
  }
  return absl::StrJoin(parts, "; ") + "\n";
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
  return absl::StrCat("\nsudo svnetctl doctor makes ", count, " more\n");
}

std::vector<NamedFinding> WorstFirst(const Diagnosis& diagnosis) {
  std::vector<NamedFinding> findings = diagnosis.findings;
  std::stable_sort(findings.begin(), findings.end(),
                   [](const NamedFinding& a, const NamedFinding& b) {
                     return a.finding.level > b.finding.level;
                   });
  return findings;
}

}  // namespace

std::string RenderDiagnosis(const Diagnosis& diagnosis, const Layout& layout) {
  std::string findings;
  for (const NamedFinding& named : WorstFirst(diagnosis)) {
    if (layout.all || named.finding.level >= Level::kWarning) {
      findings += RenderFinding(named, layout);
    }
  }
  return absl::StrCat(Wrap(Verdict(diagnosis), layout.width == 0 ? SIZE_MAX : layout.width, "  "),
                      findings.empty() ? "" : "\n", findings, HintOf(diagnosis));
}

}  // namespace svnet::client
