// svnetd's log: where it goes, and how much of it.
#pragma once

#include "daemon/config/config.h"

namespace svnet {

// To stderr: to the journal with its fields, if that is what stderr is.
void StartLog(LogLevel level);
void SetLogLevel(LogLevel level);

}  // namespace svnet
