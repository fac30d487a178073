// The log lines that callers cause.
#pragma once

#include <spdlog/common.h>
#include <sys/types.h>

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/log/log_fields.h"
#include "daemon/log/log_limit.h"

namespace svnet {

// One object for all callers: every line that a caller can cause, directly or by what it does to
// its TAPs, goes through it and is limited (LogLimit). So no caller can fill a disk, make the
// journal drop lines, or hide another caller's lines. Thread-safe.
class LimitedLog {
 public:
  using Clock = std::function<absl::Time()>;  // as MonotonicNow
  explicit LimitedLog(Clock clock) : clock_(std::move(clock)) {}

  // Writes `line` unless `uid` has caused too many, preceded by how many were left out since the
  // last one. `line` is called only if it is written. Now and then a line at level info says that a
  // uid causes too many, even if those are below the log level.
  void Write(spdlog::level::level_enum level, LogLimit::Source source, uid_t uid,
             const std::function<LogLine()>& line) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Adds to `unsaid` what forgotten budgets have left out.
  LogLimit::Answer Ask(LogLimit::Source source, uid_t uid, std::vector<LogLimit::LeftOut>* unsaid)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock clock_;
  Mutex mutex_;
  LogLimit limit_ ABSL_GUARDED_BY(mutex_);
  absl::Time forgot_idle_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace svnet
