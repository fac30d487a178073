// One line in the log for what svnetd does that nobody called for.
#pragma once

#include "daemon/network/tap_event.h"

namespace svnet {

// Repairs and leases that end by themselves at level info, failures at error. Thread-safe.
void LogEvent(const TapEvent& event);

}  // namespace svnet
