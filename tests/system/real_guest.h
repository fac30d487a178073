// A guest with a kernel of its own, which tests/guests/run.sh boots.
#pragma once

#include <string>
#include <vector>

#include "tests/system/daemon.h"

namespace svnet::testing {

struct RealGuest {
  std::string kind;  // "uml" or "qemu"
  std::string tap;
  std::string mac;
  std::string boot_args;  // "ip=..."
  std::string script;     // a file
  // Of run.sh: "GUEST_TIMEOUT=120".
  std::vector<std::string> settings = {};
};

// What it prints and exits with, as run.sh says.
Exited Boot(const RunAs& who, const RealGuest& guest);

}  // namespace svnet::testing
