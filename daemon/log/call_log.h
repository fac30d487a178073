// Logs one line for each call of one caller.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/log/limited_log.h"
#include "daemon/log/log_fields.h"
#include "daemon/network/caller.h"

namespace svnet {

// Calls that changed something and started watches are logged at level info, all others lines at
// level debug. Thread-safe.
class CallLog {
 public:
  // Both must outlive it. `caller` may use svnetd.
  CallLog(const Caller& caller, LimitedLog* log) : caller_(caller), log_(log) {}

  // `details`: the request and its effect (NetworkCalls).
  void Write(absl::string_view method, const LogLine& details, const absl::Status& status) const;

 private:
  LogLimit::Source SourceOf(const LogLine& details, const absl::Status& status) const;
  LogLine LineOf(absl::string_view method, const LogLine& details,
                 const absl::Status& status) const;

  const Caller& caller_;
  LimitedLog* const log_;
};

}  // namespace svnet
