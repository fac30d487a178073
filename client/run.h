// `svnetctl run`: a VMM with a lease that ends when it does.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "client/commands.h"
#include "client/failure.h"

namespace svnet::client {

// Creates the lease, bound to this process if the request has no lifetime, runs the
// program in the foreground with the placeholders of its arguments replaced, hands
// SIGHUP, SIGINT, SIGQUIT and SIGTERM on to it, and removes the lease when it has ended.
// `timeout` is for each of the two conversations with svnetd.
//
// The program's exit code, or 128 and the number of the signal that ended it; 126 or
// 127, as in a shell, if it could not be started.
//
// If svnetctl is killed with SIGKILL, the VMM runs on and keeps its TAP until it lets go, by the
// lease's lifetime.
//
// Call it in a process with no threads yet: it blocks those signals, and gRPC's threads
// must have them blocked as well.
Result<int> RunProgram(const std::string& socket, absl::Duration timeout, const ProgramRun& run);

}  // namespace svnet::client
