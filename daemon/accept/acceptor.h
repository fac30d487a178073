// Takes connections from the socket.
#pragma once

#include <memory>
#include <optional>
#include <thread>

#include "absl/status/statusor.h"
#include "daemon/accept/admission_control.h"
#include "daemon/base/token_bucket.h"
#include "daemon/base/unique_fd.h"
#include "daemon/log/limited_log.h"

namespace svnet {

// Has a thread of its own: a caller who connects again and again only to be refused keeps that
// thread busy, and not the one that runs calls. It takes no more than kPace, because its time on
// the processor comes from the same share as all of svnetd's: connections that come faster wait in
// the kernel, and so do their callers. Not thread-safe.
class Acceptor {
 public:
  // Whoever is served needs one connection for many calls.
  static constexpr TokenBucket::Rate kPace = {.burst = 4096, .per_second = 4000};
  // Those that have hung up count for less, because they cost less: as long as they fill the
  // kernel's queue, whoever comes behind them waits.
  static constexpr double kOfOneWhoHasHungUp = 1.0 / 3;

  // `listening`, a listening socket that does not block, `admission` and `log` must outlive it.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Start(int listening, AdmissionControl* admission,
                                                         LimitedLog* log);
  ~Acceptor();

  // Takes those that wait already, and no more: later ones wait in the kernel for the next process
  // that listens on the socket.
  void Stop();

 private:
  Acceptor(int listening, AdmissionControl* admission, LimitedLog* log, UniqueFd stop);

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

  const int listening_;
  AdmissionControl* const admission_;
  LimitedLog* const log_;
  const UniqueFd stop_;  // an eventfd(2)
  UniqueFd spare_;       // for RefuseWithoutDescriptor
  TokenBucket pace_{kPace};
  std::thread thread_;
};

}  // namespace svnet
