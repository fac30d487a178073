// The text in the store that says what a lease was granted beyond what its alias says.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace svnet {

// The first line of each text.
inline constexpr absl::string_view kSpecTextVersion = "svnet-spec 1";

// OK if this svnetd keeps everything that the text says. A text is lines, each with a newline at
// its end: kSpecTextVersion, then one for each thing that was granted, which begins with a word for
// it. This version knows no such thing; it passes over lines that begin with "#", which are for
// people. InvalidArgument says what it does not know: a guest whose limits are not known must not
// be let through. Pure.
absl::Status CheckSpecText(absl::string_view text);

}  // namespace svnet
