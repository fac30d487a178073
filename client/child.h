// The program that `svnetctl run` runs.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace svnet::client {

// Blocks, in this thread and in those that it starts from now on, the signals that a
// child is to get, and SIGCHLD.
void BlockForwardedSignals();

// The number of a forwarded signal that came before there was a child; 0 if none did.
int PendingSignal();

// Starts `command`, found by PATH, with the signals as svnetctl's own caller would have
// had them. In the same process group, so that the terminal is the child's too. The
// error has the errno's code: NotFound if there is no such program.
absl::StatusOr<pid_t> StartProgram(const std::vector<std::string>& command);

// Waits for the child's end, and meanwhile hands the blocked signals on. What the
// kernel sends for a terminal (Ctrl-C) the child has had already. The exit code, or
// 128 and the signal's number.
int WaitAndForwardSignals(pid_t child);

}  // namespace svnet::client
