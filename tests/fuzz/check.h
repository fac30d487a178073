// What a fuzzer must never see.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace svnet::testing {

// Ends the fuzzer, which keeps the input.
inline void Check(bool holds, absl::string_view otherwise) {
  if (holds) return;
  std::cerr << "FAILED: " << otherwise << "\n";  // of std::cerr, at once
  std::abort();
}

// One line, and nothing in it that moves a cursor.
inline void CheckPrintable(absl::string_view text) {
  Check(!text.empty(), "an error without words");
  for (const char c : text) {
    Check(absl::ascii_isprint(static_cast<unsigned char>(c)), "an error that is not printable");
  }
}

}  // namespace svnet::testing
