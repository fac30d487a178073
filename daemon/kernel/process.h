// Processes, as /proc shows them (proc(5)).
#pragma once

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// See Kernel::OpenProcess.
absl::StatusOr<Process> OpenProcessOf(pid_t pid);

}  // namespace svnet
