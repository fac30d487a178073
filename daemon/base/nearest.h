// "Did you mean ...?"
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace svnet {

// The least number of bytes to insert, delete, replace or swap with their neighbour that
// turns one text into the other.
size_t EditDistance(absl::string_view a, absl::string_view b);

// The candidate that the user probably meant by `word`: at most a third of its bytes differ.
// nullopt: none.
std::optional<std::string> FindNearest(absl::string_view word,
                                       const std::vector<std::string>& candidates);

}  // namespace svnet
