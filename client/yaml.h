// YAML, for people who prefer it to JSON.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace svnet::client {

// `json`, one well-formed value, as a YAML document in block style. Strings and numbers stay as
// JSON writes them: those are YAML's, too.
std::string JsonToYaml(absl::string_view json);

}  // namespace svnet::client
