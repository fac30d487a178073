// The values of keys, from and to text.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "daemon/base/network_name.h"
#include "daemon/config/accounts.h"

namespace svnet {

// `text` in quotes, escaped and shortened, for messages.
std::string Quote(absl::string_view text);

// The items of a list; they cannot contain commas.
std::vector<absl::string_view> Items(absl::string_view text);

// The index of `text` in `words`.
template <size_t kCount>
absl::StatusOr<size_t> ParseWord(absl::string_view text,
                                 const std::array<absl::string_view, kCount>& words) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return found - words.begin();
  return absl::InvalidArgumentError(
      absl::StrCat(Quote(text), " is not one of: ", absl::StrJoin(words, ", ")));
}

// [a-z][a-z0-9-]{0,14}.
absl::StatusOr<NetworkName> ParseNetworkName(absl::string_view text);

// Parses a name that `find` knows, or a number; `kind` is for messages.
absl::StatusOr<uint32_t> ParseId(
    absl::string_view kind, absl::string_view text,
    const std::function<std::optional<uint32_t>(const std::string&)>& find);

// Lists of names or numbers. After an error the set holds a part of them.
absl::Status SetUsers(std::set<uid_t>* users, absl::string_view text, const Accounts& accounts);
absl::Status SetGroups(std::set<gid_t>* groups, absl::string_view text, const Accounts& accounts);

// `min` to 1,000,000.
absl::Status SetCount(uint32_t* count, uint32_t min, absl::string_view text);

}  // namespace svnet
