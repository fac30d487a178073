// A setting that is in force (the contract's Setting).
#pragma once

#include <string>

namespace svnet {

struct Setting {
  std::string name;   // as in the configuration file: "isolation", "limits.taps_per_user"
  std::string value;  // as one would write it there: "\"all\"", "64", "[\"udp/53\"]"
  bool is_default = false;
  // Callers who are not administrators may see it, too.
  bool for_all = false;

  friend bool operator==(const Setting&, const Setting&) = default;
};

}  // namespace svnet
