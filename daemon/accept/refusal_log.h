// What the log says of callers who are not served.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "daemon/log/limited_log.h"

namespace svnet {

// A connection is not taken. `uid` is LogLimit::kTogether if it is not known whose it is. `why` is
// called only if the line is written.
void LogTurnedAway(LimitedLog* log, uid_t uid, const std::function<std::string()>& why);

// A connection is taken, and its caller is only told `verdict`.
void LogRefusal(LimitedLog* log, uid_t uid, const absl::Status& verdict);

}  // namespace svnet
