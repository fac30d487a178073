#include "daemon/lease/spec_text.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace svnet {
namespace {

constexpr size_t kMaxShown = 32;  // characters of a word

}  // namespace

absl::Status CheckSpecText(absl::string_view text) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.front() != kSpecTextVersion || !lines.back().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is not whole lines of which the first is \"", kSpecTextVersion, "\""));
  }
  for (size_t i = 1; i + 1 < lines.size(); ++i) {
    if (absl::StartsWith(lines[i], "#")) continue;
    const absl::string_view word = lines[i].substr(0, lines[i].find(' ')).substr(0, kMaxShown);
    return absl::InvalidArgumentError(
        absl::StrCat("line ", i + 1, " is about \"", absl::CHexEscape(word),
                     "\", which this version of svnetd does not know"));
  }
  return absl::OkStatus();
}

}  // namespace svnet
