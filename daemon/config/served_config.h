// What svnetd serves, as text for the next svnetd: its configuration may change before that starts,
// and the TAPs of before stand.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/config/config.h"

namespace svnet {

// The socket, which says whose it is, and the networks, in the form of the configuration file.
std::string FormatServed(const Config& config);
// The Config of which only that is set. InvalidArgument if it is not what FormatServed makes.
absl::StatusOr<Config> ParseServed(absl::string_view text);

}  // namespace svnet
