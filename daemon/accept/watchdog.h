// Asks now and then whether svnetd answers, in a thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// The loop that would answer cannot wait for its own answer, so a thread does. A probe that is
// not answered in time says nothing to anybody: that is what a service manager's watchdog waits
// for. Thread-safe.
class Watchdog {
 public:
  // `on_answer` is called in the thread, each time that svnetd at `socket_path` has answered
  // within `limit`.
  static absl::StatusOr<std::unique_ptr<Watchdog>> Start(std::string socket_path,
                                                         absl::Duration limit,
                                                         std::function<void()> on_answer);
  // Gives up a probe that is under way, and calls on_answer no more.
  ~Watchdog();

  // Probes once; after the probe that is under way, if there is one. Asked several times
  // until then, it probes once more, not several times.
  void Ask();

 private:
  Watchdog(UniqueFd asked, UniqueFd stop, std::string socket_path, absl::Duration limit,
           std::function<void()> on_answer);
  void Run();
  // False when it is to end.
  bool WaitUntilAsked();

  const UniqueFd asked_;  // eventfd(2)s
  const UniqueFd stop_;
  const std::string socket_path_;
  const absl::Duration limit_;
  const std::function<void()> on_answer_;
  std::thread thread_;
};

}  // namespace svnet
