// Colours, for who looks at a terminal.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace svnet::client {

enum class Colour { kGreen, kYellow, kRed, kBold };

// Whether `fd` is a terminal that can show them, and its user has not said no
// (https://no-color.org).
bool WantsColour(int fd);

// `text` in that colour if `on`, else as it is.
std::string Coloured(absl::string_view text, Colour colour, bool on);

}  // namespace svnet::client
