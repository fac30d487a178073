// One line in the log for each call of one caller.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/limited_log.h"
#include "daemon/rpc/log_fields.h"

namespace svnet {

// Calls that changed something, and begun watches, are worth a line at level info;
// what only reads, or changed nothing, one at level debug. Thread-safe.
class CallLog {
 public:
  // Both must outlive it. `caller` is one that may use svnetd.
  CallLog(const Caller& caller, LimitedLog* log) : caller_(caller), log_(log) {}

  // `details`: what the line says of the request and of the effect (NetworkCalls).
  void Write(absl::string_view method, const LogLine& details, const absl::Status& status) const;

 private:
  LogLimit::Source SourceOf(const LogLine& details, const absl::Status& status) const;
  LogLine LineOf(absl::string_view method, const LogLine& details,
                 const absl::Status& status) const;

  const Caller& caller_;
  LimitedLog* const log_;
};

}  // namespace svnet
