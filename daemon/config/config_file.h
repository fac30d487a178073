// Reads the TOML file.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/config/accounts.h"
#include "daemon/config/config.h"

namespace svnet {

// Sets the values of the file in `config`. InvalidArgument names the file, the line, the key, and
// the allowed values.
absl::Status ApplyFile(absl::string_view file, absl::string_view text, const Accounts& accounts,
                       Config* config);

}  // namespace svnet
