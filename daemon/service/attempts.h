// What svnetd needs of the host, and tries until it has it.
#pragma once

#include <spdlog/common.h>

#include <functional>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/rpc/status_board.h"

namespace svnet {

// Tries things again and again, with growing pauses, so that what a host lacks for a while does not
// end svnetd. Meanwhile a condition says what is missing, and the log says it once for each new
// reason, and when it is over. Not thread-safe.
class Attempts {
 public:
  struct Attempt {
    std::string condition;  // its type
    std::string what;       // "cannot start the network"
    spdlog::level::level_enum level;
    std::string remedy;
    std::function<absl::Status()> run;
  };

  // `board` must outlive it.
  Attempts(StatusBoard* board, Clock clock) : board_(board), clock_(std::move(clock)) {}

  // Tries it at once, and again as long as that fails.
  void Begin(Attempt attempt);
  // Tries what is due.
  void RunDue();
  // When the next is due; nullopt: nothing is left to try.
  std::optional<absl::Time> NextDue() const;

  static constexpr absl::Duration kFirstPause = absl::Seconds(1);
  static constexpr absl::Duration kLongestPause = absl::Seconds(30);

 private:
  struct Failed {
    Attempt attempt;
    absl::Duration pause;
    absl::Time due;
    std::string last_error;
  };

  // Whether it is done.
  bool Try(Failed* failed);

  StatusBoard* const board_;
  const Clock clock_;
  std::list<Failed> failed_;
};

}  // namespace svnet
