// The words of an alias, `key=value` each, taken off one by one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "daemon/base/status_macros.h"

namespace svnet {

class AliasFields {
 public:
  explicit AliasFields(absl::string_view text) : words_(absl::StrSplit(text, ' ')) {}

  // True if the next word is `word`, which is then taken.
  bool TakeWord(absl::string_view word) {
    if (next_ == words_.size() || words_[next_] != word) return false;
    ++next_;
    return true;
  }

  // The value of the next word, which is taken, if its key is `key`; otherwise nullopt.
  std::optional<absl::string_view> TakeIf(absl::string_view key) {
    if (next_ == words_.size()) return std::nullopt;
    absl::string_view value = words_[next_];
    if (!absl::ConsumePrefix(&value, key) || !absl::ConsumePrefix(&value, "=")) return std::nullopt;
    ++next_;
    return value;
  }

  // The same for a key that must be there. InvalidArgument if it is not.
  absl::StatusOr<absl::string_view> Take(absl::string_view key) {
    if (const std::optional<absl::string_view> value = TakeIf(key)) return *value;
    return absl::InvalidArgumentError(absl::StrCat("no ", key, " where it should be"));
  }

  // Value::Parse of it.
  template <typename Value>
  absl::StatusOr<Value> TakeValue(absl::string_view key) {
    SVNET_ASSIGN_OR_RETURN(const absl::string_view text, Take(key));
    return Value::Parse(text);
  }

 private:
  std::vector<absl::string_view> words_;
  size_t next_ = 0;
};

}  // namespace svnet
