// A process that speaks gRPC for svnetd.
#pragma once

#include "daemon/wire/channel.h"

namespace svnet {

// Confines the process, which must have one thread, serves what comes over `core` (see
// daemon/wire/message.h), and ends with it. `is_shared`: by several callers.
[[noreturn]] void RunGate(Channel core, bool is_shared = false);

}  // namespace svnet
