#include "daemon/lease/spec_text.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace svnet {
namespace {

constexpr size_t kMaxShown = 32;  // characters of a word
constexpr absl::string_view kView = "view ";

// What is wrong with a line goes on from "line 2".
absl::Status ReadLine(absl::string_view line, LeaseGrants* grants) {
  if (absl::ConsumePrefix(&line, kView) && !grants->view.has_value()) {
    const absl::StatusOr<GuestView> view = GuestView::Parse(line);
    if (!view.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(" is no guest's view: ", view.status().message()));
    }
    grants->view = *view;
    return absl::OkStatus();
  }
  const absl::string_view word = line.substr(0, line.find(' ')).substr(0, kMaxShown);
  return absl::InvalidArgumentError(absl::StrCat(" is about \"", absl::CHexEscape(word),
                                                 "\", which this version of svnetd does not know"));
}

}  // namespace

std::string FormatSpecText(const LeaseGrants& grants) {
  if (grants == LeaseGrants()) return "";
  std::string text = absl::StrCat(kSpecTextVersion, "\n");
  if (grants.view.has_value()) absl::StrAppend(&text, kView, grants.view->ToString(), "\n");
  return text;
}

absl::StatusOr<LeaseGrants> ParseSpecText(absl::string_view text) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.front() != kSpecTextVersion || !lines.back().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is not whole lines of which the first is \"", kSpecTextVersion, "\""));
  }
  LeaseGrants grants;
  for (size_t i = 1; i + 1 < lines.size(); ++i) {
    if (absl::StartsWith(lines[i], "#")) continue;
    const absl::Status read = ReadLine(lines[i], &grants);
    if (!read.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", i + 1, read.message()));
    }
  }
  return grants;
}

}  // namespace svnet
