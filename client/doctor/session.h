// Runs `svnetctl doctor`.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "client/commands.h"
#include "client/failure.h"

namespace svnet::client {

// kRefused if there is a problem. Works with and without a svnetd that answers. `timeout` applies
// to each call to it. With `terminal` the output has colours, and standard error shows the
// progress.
Report RunDoctor(const std::string& socket, absl::Duration timeout, const DoctorRun& run,
                 Format format, bool terminal);

}  // namespace svnet::client
