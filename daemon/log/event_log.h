// Logs one line for each thing that svnetd does on its own.
#pragma once

#include "daemon/log/limited_log.h"
#include "daemon/network/tap_event.h"

namespace svnet {

// Repairs and leases that end by themselves are logged at level info, failures at error. They count
// for the lease's owner, who can cause any number of them. Thread-safe.
void LogEvent(const TapEvent& event, LimitedLog* log);

}  // namespace svnet
