// The program that `svnetctl run` runs.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace svnet::client {

// Blocks, in this thread and in those that it starts from now on, the signals that a
// child is to get, and SIGCHLD.
void BlockForwardedSignals();

// The number of a forwarded signal that arrived before the child existed; 0: none.
int PendingSignal();

// Starts `command`, found in PATH, with the signal dispositions that svnetctl inherited, and with
// `descriptors` under the numbers that they have here. It stays in the same process group, so that
// it can use the terminal. The error has the errno's code: NotFound if there is no such program.
absl::StatusOr<pid_t> StartProgram(const std::vector<std::string>& command,
                                   const std::vector<UniqueFd>& descriptors = {});

// Waits until the child ends, and forwards the blocked signals to it. It does not forward signals
// from a terminal (Ctrl-C), because the kernel has sent them to the child too. Returns the exit
// code, or 128 plus the signal's number.
int WaitAndForwardSignals(pid_t child);

}  // namespace svnet::client
