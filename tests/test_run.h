// What tests/run.sh says of this run of the tests.
#pragma once

#include <cstdlib>

namespace svnet::testing {

// Whether tests do in full what every run does in short: --soak.
inline bool Soaks() {
  const char* soak = std::getenv("SVNET_SOAK");
  return soak != nullptr && *soak != '\0';
}

// Whether svnetd has sanitizers, with which everything takes longer, and more memory: no other
// build but theirs is tested by the tests of the preset dev.
inline bool IsSanitized() { return std::getenv("SVNET_UNDER_TEST") != nullptr; }

}  // namespace svnet::testing
