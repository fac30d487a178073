// The TOML file.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/config.h"

namespace svnet {

// Sets in `config` what the text of the file says. InvalidArgument names the file, the
// line, the key, and what is allowed.
absl::Status ApplyFile(absl::string_view file, absl::string_view text, const Accounts& accounts,
                       Config* config);

}  // namespace svnet
