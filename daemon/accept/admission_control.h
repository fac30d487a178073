// Admits connections: who is served on each, and whether there may be one more.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/accept/admission.h"
#include "daemon/accept/connection_counts.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"
#include "daemon/log/limited_log.h"
#include "daemon/network/caller.h"

namespace svnet {

// One thread has connections admitted, and another takes those that were. Thread-safe.
class AdmissionControl {
 public:
  // A connection that has been counted: each wants a Release.
  struct Arrival {
    UniqueFd fd;
    Caller peer;  // as the kernel has it
    Admission admission;
    absl::Status verdict;  // the admission's, or that there are too many
    absl::Time since;

    const Caller& caller() const { return admission.caller; }
  };

  // `log` must outlive it.
  static absl::StatusOr<std::unique_ptr<AdmissionControl>> Create(LimitedLog* log,
                                                                  const AdmissionRules& rules,
                                                                  const ConnectionLimits& limits);

  // Decides about one more. It is there to be taken when this returns, unless there are too many
  // and it is closed without a word. An error: the kernel does not say whose it is.
  absl::Status Admit(UniqueFd connection) ABSL_LOCKS_EXCLUDED(mutex_);

  // Readable when there is something to take.
  int fd() const { return arrived_.get(); }
  // In the order in which they came.
  std::vector<Arrival> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  // It has ended, and may be counted no more.
  void Release(const Caller& caller, const absl::Status& verdict) ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on. What was decided by others before is there to be taken when this returns.
  void ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Rules = std::shared_ptr<const AdmissionRules>;

  AdmissionControl(LimitedLog* log, UniqueFd arrived, const AdmissionRules& rules,
                   const ConnectionLimits& limits);

  // False: there are too many, and it is closed without a word.
  bool Count(Arrival* arrival) ABSL_LOCKS_EXCLUDED(mutex_);
  // False: it was decided by rules that do not hold any more, and is not counted.
  bool Announce(Arrival* arrival, const Rules& rules) ABSL_LOCKS_EXCLUDED(mutex_);
  Rules rules() ABSL_LOCKS_EXCLUDED(mutex_);

  LimitedLog* const log_;
  const UniqueFd arrived_;  // an eventfd(2)
  Mutex mutex_;
  Rules rules_ ABSL_GUARDED_BY(mutex_);
  ConnectionCounts counts_ ABSL_GUARDED_BY(mutex_);
  std::vector<Arrival> arrivals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet
