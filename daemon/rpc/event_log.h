// One line in the log for what svnetd does that nobody called for.
#pragma once

#include "daemon/network/tap_event.h"
#include "daemon/rpc/limited_log.h"

namespace svnet {

// Repairs and leases that end by themselves at level info, failures at error. Counts for the
// lease's owner, who can cause any number of them. Thread-safe.
void LogEvent(const TapEvent& event, LimitedLog* log);

}  // namespace svnet
