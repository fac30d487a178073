// svnetd's processes, as /proc shows them from outside.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "daemon/base/unique_fd.h"

namespace svnet::testing {

// Those that have ended do not count, also if nobody has waited for them.
std::vector<pid_t> ChildrenOf(pid_t pid);
// With `pid` itself.
std::vector<pid_t> ProcessTree(pid_t pid);

bool IsRunning(pid_t pid);
// kill(2) of one process: fails the test if `pid` is none's, and not everybody's.
void Signal(pid_t pid, int signal);

// The one child of an svnetd that was started by hand; -1: it has none.
pid_t GateParentOf(pid_t svnetd);
std::vector<pid_t> GatesOf(pid_t svnetd);
// The gate that has the other end of that connection, which has been served; -1: none.
pid_t GateOf(pid_t svnetd, const UniqueFd& connection);

size_t DescriptorsOf(pid_t pid);
// svnetd's own, but for the one by which it speaks with each gate: idle gates stay a while.
size_t DescriptorsBesideGates(pid_t svnetd);
// Fails the test if they are more than that for 20 seconds.
void ExpectDescriptorsReturnTo(size_t before, pid_t svnetd);
size_t ThreadsOf(pid_t pid);
// Fails the test if gates have something to do for 20 seconds.
void ExpectGatesComeToRest(pid_t svnetd);

// In KiB.
int MemoryOf(pid_t pid);  // resident
int PeakMemoryOf(pid_t pid);
// From now on the peak is what it is now.
void ForgetPeakMemoryOf(pid_t pid);
// Resident, and what several processes share counts for each in part: the sum is what they
// take together.
int ProportionalMemoryOf(const std::vector<pid_t>& pids);

}  // namespace svnet::testing
