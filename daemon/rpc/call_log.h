// One line in the log for each call of one caller.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/log_fields.h"

namespace svnet {

// How many refusals are worth a line: bursts of kBurst, and then kPerSecond. Not
// thread-safe.
class RefusalLimit {
 public:
  // Whether one at `now` is; if so, `left_out` is how many before it were not.
  bool Allow(absl::Time now, uint64_t* left_out);

  static constexpr double kBurst = 100;
  static constexpr double kPerSecond = 10;

 private:
  double allowed_ = kBurst;
  absl::Time last_ = absl::InfinitePast();
  uint64_t left_out_ = 0;
};

// Calls that did something are always worth a line, at level info; what only reads,
// at level debug. A caller who is refused again and again fills no disk, and hides
// nobody else's lines, unless it is an administrator. Thread-safe.
class CallLog {
 public:
  explicit CallLog(const Caller& caller) : caller_(caller) {}

  // `details`: what the line says of the request and of the effect (NetworkCalls).
  void Write(absl::string_view method, const LogLine& details, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const Caller caller_;
  Mutex mutex_;
  RefusalLimit refusals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet
