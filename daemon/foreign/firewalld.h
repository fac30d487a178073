// firewalld over D-Bus (firewalld.dbus(5)).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "daemon/foreign/foreign_firewalls.h"

namespace svnet {

// Both talk to a running firewalld and do not start one; each call waits at most 5 s.

// Adds it to a zone, until firewalld reloads its configuration. OK if it is in that zone.
absl::Status JoinFirewalldZone(const std::string& zone, const ZoneMember& member);

// Removes it again, unless firewalld's own configuration has it there. OK if it is in another zone
// or in none, or if firewalld is not running.
absl::Status LeaveFirewalldZone(const std::string& zone, const ZoneMember& member);

}  // namespace svnet
