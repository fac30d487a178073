// firewalld, by D-Bus (firewalld.dbus(5)).
#pragma once

#include <string>

#include "absl/status/status.h"

namespace svnet {

// Both ask the firewalld that runs, and start none; each answer is waited for at most 5 s.

// Puts a link into a zone, until firewalld reads its configuration anew. OK if it is in
// it already.
absl::Status JoinFirewalldZone(const std::string& zone, const std::string& link);

// Takes it out again, unless firewalld's own configuration has it there. OK if it is in
// another or in none, and if there is no firewalld.
absl::Status LeaveFirewalldZone(const std::string& zone, const std::string& link);

}  // namespace svnet
