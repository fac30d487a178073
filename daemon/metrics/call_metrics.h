// Calls, counted.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"

namespace svnet {

// By method, code and reason, which are all of closed sets: nothing that callers send
// makes a series. Thread-safe.
class CallMetrics {
 public:
  // `registry` must outlive it.
  explicit CallMetrics(prometheus::Registry* registry);

  // A call of `method`, a literal, was answered with `status`, so long after it came.
  void Answered(absl::string_view method, const absl::Status& status, absl::Duration took)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A stream has begun, or was refused.
  void Begun(absl::string_view method, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Outcome = std::tuple<absl::string_view, absl::StatusCode, absl::string_view>;

  void Count(absl::string_view method, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Histogram>& durations_;

  Mutex mutex_;
  // What the families hold: to look there takes longer.
  absl::flat_hash_map<Outcome, prometheus::Counter*> counters_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<absl::string_view, prometheus::Histogram*> histograms_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet
