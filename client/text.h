// Text that came from somewhere else.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace svnet::client {

// `text` for a terminal: printable ASCII as it is, any other byte as \n, \t or
// \xNN. ASCII only, because then no byte can move the cursor, whatever the
// terminal's character set, and one byte is one column.
std::string Printable(absl::string_view text);

// `text`, Printable(), in at most `columns` (5 or more): if it is longer, ".." stands for its
// middle, because names differ mostly at their ends.
std::string Elided(absl::string_view text, size_t columns);

// Well-formed UTF-8 (RFC 3629: nothing overlong, no surrogates), which is what a
// proto3 string must be.
bool IsUtf8(absl::string_view text);

}  // namespace svnet::client
