// Parents of gates, for tests that have threads of their own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/wire/channel.h"

namespace svnet::testing {

// Forks the process that the functions below ask. Call it before there are threads, and before
// anything of gRPC's.
void StartLauncher();

struct Launched {
  pid_t pid;
  Channel channel;  // svnetd's end
};
// What ForkGateParent makes.
Launched LaunchGateParent();
// `svnetd --gates`, as systemd starts it, listening at `kGatesSocket`; there is no channel.
inline constexpr char kGatesSocket[] = "/mnt/gates.sock";
Launched LaunchServedGateParent();
// A gate without a parent, with the privileges and the file system of the test.
Launched LaunchBareGate();

// Those that are not ended.
std::vector<pid_t> ChildrenOf(pid_t pid);
// Whether the process has ended, or does within 20 seconds; a zombie has.
bool Ends(pid_t pid);

}  // namespace svnet::testing
