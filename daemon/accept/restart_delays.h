// How long a caller waits whose gates die.
#pragma once

#include <sys/types.h>

#include <map>

#include "absl/time/time.h"

namespace svnet {

// A caller whose gate was killed once is served again at once; one whose gates are killed again and
// again waits longer each time: to make a gate costs everybody, and its death only its caller. It
// forgets a uid after kForgotten without a death. Not thread-safe. Pure: time is told.
class RestartDelays {
 public:
  void Died(uid_t uid, absl::Time now);

  // When a new gate of that uid may be made: `now` or later.
  absl::Time NotBefore(uid_t uid, absl::Time now) const;

  size_t kept() const { return deaths_.size(); }

  static constexpr absl::Duration kFirst = absl::Milliseconds(100);  // after the second death
  static constexpr absl::Duration kLongest = absl::Seconds(5);
  static constexpr absl::Duration kForgotten = absl::Minutes(1);

 private:
  struct Deaths {
    int count = 0;
    absl::Time last;
  };

  std::map<uid_t, Deaths> deaths_;
};

}  // namespace svnet
