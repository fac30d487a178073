// The keys of the configuration: what each takes, and what it sets.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "daemon/config.h"

namespace svnet {

// What a key takes in the file; a flag takes text, and a list with commas.
enum class Type { kText, kInteger, kTextOrInteger, kBoolean, kTexts };

// A key, and so a flag.
struct Key {
  absl::string_view table;  // empty: the top
  absl::string_view name;   // no two alike, whatever the table
  Type type;
  absl::Status (*set)(Config*, absl::string_view, const Accounts&);
  // Whether two configurations differ in it; nullptr: a reload changes it, so that it
  // does not matter. Any other needs a restart.
  bool (*differs)(const Config&, const Config&);
  absl::string_view placeholder;
  absl::string_view help;
};

absl::Span<const Key> AllKeys();
// nullptr if there is none.
const Key* FindKey(absl::string_view name);

// `text` in quotes, for a message: escaped, and cut.
std::string Quote(absl::string_view text);

// A name that `find` knows, or a number; `kind` is for the message.
absl::StatusOr<uint32_t> ParseId(
    absl::string_view kind, absl::string_view text,
    const std::function<std::optional<uint32_t>(const std::string&)>& find);

// `min` to 1,000,000.
absl::Status SetCount(uint32_t* count, uint32_t min, absl::string_view text);

}  // namespace svnet
