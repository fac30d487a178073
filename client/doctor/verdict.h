// A diagnosis for people.
#pragma once

#include <cstddef>
#include <string>

#include "client/doctor/doctor.h"

namespace svnet::client {

struct Layout {
  bool colour = false;
  // Also what is in order, and what was not checked.
  bool all = false;
  // Columns of the terminal; 0: lines are not wrapped.
  size_t width = 0;
};

// A verdict in one line, the findings, the worst first, and a hint. Ends with a newline.
std::string RenderDiagnosis(const Diagnosis& diagnosis, const Layout& layout);

}  // namespace svnet::client
