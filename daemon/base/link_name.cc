#include "daemon/base/link_name.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace svnet {

bool IsPlainName(absl::string_view text, size_t max_length) {
  if (text.empty() || text.size() > max_length || !absl::ascii_isalnum(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

absl::StatusOr<LinkName> LinkName::Parse(absl::string_view text) {
  if (!IsPlainName(text, kMaxLength)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", absl::CEscape(text.substr(0, 64)),
        "\" is not a link name: 1 to 15 of A-Z a-z 0-9 . _ -, the first a letter or digit"));
  }
  return LinkName(text);
}

}  // namespace svnet
