// A process that speaks gRPC for svnetd.
#pragma once

#include <cstddef>

#include "daemon/wire/channel.h"

namespace svnet {

// Connections of a gate at a time, unless svnetd says otherwise: then it is shared by several
// callers, and that is how many it has in its life.
inline constexpr size_t kDefaultConnections = 64;

// Confines the process, which must have one thread, serves what comes over `core` (see
// daemon/wire/message.h), and ends with it.
[[noreturn]] void RunGate(Channel core, size_t connections = kDefaultConnections);

}  // namespace svnet
