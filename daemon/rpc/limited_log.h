// The lines of the log that callers cause.
#pragma once

#include <spdlog/common.h>
#include <sys/types.h>

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/rpc/log_fields.h"
#include "daemon/rpc/log_limit.h"

namespace svnet {

// One for all callers: every line that a caller can cause, directly or by what it does to its
// TAPs, goes through here and is limited (LogLimit). So no caller fills a disk, makes the
// journal drop lines, or hides another caller's. Thread-safe.
class LimitedLog {
 public:
  using Clock = std::function<absl::Time()>;  // as MonotonicNow
  explicit LimitedLog(Clock clock) : clock_(std::move(clock)) {}

  // Writes `line`, if `uid` has not caused too many, and before it how many were left out
  // since the last one. `line` is called only if it is written. That a uid causes too many is
  // said now and then, at level info: also of lines of a level that is not logged.
  void Write(spdlog::level::level_enum level, LogLimit::Source source, uid_t uid,
             const std::function<LogLine()>& line) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Adds to `unsaid` what there is to say of budgets that are forgotten.
  LogLimit::Answer Ask(LogLimit::Source source, uid_t uid, std::vector<LogLimit::LeftOut>* unsaid)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock clock_;
  Mutex mutex_;
  LogLimit limit_ ABSL_GUARDED_BY(mutex_);
  absl::Time forgot_idle_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace svnet
