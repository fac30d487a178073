// {tap} and the like in the arguments of a program.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace svnet::client {

// `argument` with each {name} of `values` replaced by its value, and each {{name}} by {name}. All
// other braces stay as they are: JSON and a shell's ${tap} pass unharmed. InvalidArgument for a
// {word} that is probably a misspelt name: {boot-args}, {gatway}.
absl::StatusOr<std::string> Substitute(const std::string& argument,
                                       const std::map<std::string, std::string>& values);

// Whether Substitute would put a value in the place of {name}.
bool Mentions(const std::string& argument, const std::string& name);

}  // namespace svnet::client
