// The order that people expect of names with numbers in them.
#pragma once

#include "absl/strings/string_view.h"

namespace svnet::client {

// Whether `a` comes before `b`: numbers in them count as numbers, so that vm2 is before vm10. A
// strict weak order; of two texts that differ in zeros only (vm1, vm01) the shorter is first.
bool NaturalLess(absl::string_view a, absl::string_view b);

}  // namespace svnet::client
