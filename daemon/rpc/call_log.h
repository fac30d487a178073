// One line in the log for each call of one caller.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/limited_log.h"
#include "daemon/rpc/log_fields.h"

namespace svnet {

// Calls that changed something, begun watches and refusals are worth a line at level info;
// what only reads, or changed nothing, one at level debug. Thread-safe.
class CallLog {
 public:
  // `log` must outlive it. `verdict`: an error if the caller may not use svnetd.
  CallLog(const Caller& caller, const absl::Status& verdict, LimitedLog* log)
      : caller_(caller), refused_(!verdict.ok()), log_(log) {}

  // `details`: what the line says of the request and of the effect (NetworkCalls).
  void Write(absl::string_view method, const LogLine& details, const absl::Status& status) const;

 private:
  LogLimit::Source SourceOf(const LogLine& details, const absl::Status& status) const;
  LogLine LineOf(absl::string_view method, const LogLine& details,
                 const absl::Status& status) const;

  const Caller caller_;
  const bool refused_;
  LimitedLog* const log_;
};

}  // namespace svnet
