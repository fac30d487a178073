// A run of `svnetctl doctor`, from the question to the answer.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "client/commands.h"
#include "client/failure.h"

namespace svnet::client {

// kRefused if there is a problem. Whether or not svnetd answers. `timeout` is for each
// conversation with it. With `terminal`, in colours, and standard error says
// what is under way.
Report RunDoctor(const std::string& socket, absl::Duration timeout, const DoctorRun& run,
                 Format format, bool terminal);

}  // namespace svnet::client
