// Whether svnetd answers, asked as a caller would.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace svnet {

// Connects to the socket at `socket_path`, calls grpc.health.v1.Health/Check, and waits for its
// answer, at most `limit`: DEADLINE_EXCEEDED. OK if there is one, whether it says that svnetd
// serves or not. `stop` (-1: none) is a descriptor: as soon as that is readable, it gives up
// (CANCELLED).
absl::Status Probe(const std::string& socket_path, absl::Duration limit, int stop = -1);

}  // namespace svnet
