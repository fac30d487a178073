// Reads the TOML file.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/config/accounts.h"
#include "daemon/config/config.h"

namespace svnet {

// Where each key has been set, for messages: "bridge" at "svnetd.toml:4: bridge" or "--bridge".
using KeyPlaces = std::map<std::string, std::string>;

// Sets the values of the file in `config`, and says where it has them. InvalidArgument names the
// file, the line, the key, and the allowed values.
absl::Status ApplyFile(absl::string_view file, absl::string_view text, const Accounts& accounts,
                       Config* config, KeyPlaces* places);

}  // namespace svnet
