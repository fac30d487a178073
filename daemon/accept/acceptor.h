// Takes connections from the socket, and decides who is served on them.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/accept/admission.h"
#include "daemon/accept/connection_counts.h"
#include "daemon/base/mutex.h"
#include "daemon/base/token_bucket.h"
#include "daemon/base/unique_fd.h"
#include "daemon/log/limited_log.h"
#include "daemon/network/caller.h"

namespace svnet {

// Has a thread of its own: a caller who connects again and again only to be refused keeps that
// thread busy, and not the one that runs calls. It takes no more than kPace, because its time on
// the processor comes from the same share as all of svnetd's: connections that come faster wait in
// the kernel, and so do their callers. Thread-safe.
class Acceptor {
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

  // Whoever is served needs one connection for many calls.
  static constexpr TokenBucket::Rate kPace = {.burst = 4096, .per_second = 4000};
  // Those that have hung up count for less, because they cost less: as long as they fill the
  // kernel's queue, whoever comes behind them waits.
  static constexpr double kOfOneWhoHasHungUp = 1.0 / 3;

  // `listening`, a listening socket that does not block, and `log` must outlive it.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Start(int listening, LimitedLog* log,
                                                         const AdmissionRules& rules,
                                                         const ConnectionLimits& limits);
  ~Acceptor();

  // Takes those that wait already, and no more: later ones wait in the kernel for the next process
  // that listens on the socket.
  void Stop();

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

  struct Events {
    UniqueFd stop;  // eventfd(2)s
    UniqueFd arrived;
  };

  Acceptor(int listening, LimitedLog* log, Events events, const AdmissionRules& rules,
           const ConnectionLimits& limits);

  void Run();
  // False when it is to end.
  bool WaitForConnection();
  // What of kPace it has cost; nullopt: there is none.
  std::optional<double> AcceptOne();
  void AfterFailure(int error);
  // Or until it is to end.
  void Pause();
  // Out of descriptors: the one that waits is closed, or all that come after it would wait, too.
  void RefuseWithoutDescriptor();
  absl::Status Admit(UniqueFd connection);
  // False: there are too many, and it is closed without a word.
  bool Count(Arrival* arrival) ABSL_LOCKS_EXCLUDED(mutex_);
  // False: it was decided by rules that do not hold any more, and is not counted.
  bool Announce(Arrival* arrival, const Rules& rules) ABSL_LOCKS_EXCLUDED(mutex_);
  Rules rules() ABSL_LOCKS_EXCLUDED(mutex_);

  const int listening_;
  LimitedLog* const log_;
  const UniqueFd stop_;
  const UniqueFd arrived_;
  UniqueFd spare_;  // for RefuseWithoutDescriptor
  TokenBucket pace_{kPace};
  Mutex mutex_;
  Rules rules_ ABSL_GUARDED_BY(mutex_);
  ConnectionCounts counts_ ABSL_GUARDED_BY(mutex_);
  std::vector<Arrival> arrivals_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace svnet
