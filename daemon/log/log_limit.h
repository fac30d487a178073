// Limits the log lines that a caller can cause.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "daemon/base/token_bucket.h"

namespace svnet {

// Each uid may cause a burst of lines, and then a number per second; lines that are left out are
// counted. A uid has one budget, however many connections, groups or services it uses. All callers
// who are refused share one budget, because an attacker may have any number of uids that are not
// admitted.
//
// A budget is forgotten when it is full again, and there are at most kMaxKept: further uids share
// one budget until others are idle. Not thread-safe. Pure: the time is an argument.
class LogLimit {
 public:
  enum class Source {
    kChange,         // a user's call that changed something
    kUser,           // a user's other lines
    kAdministrator,  // any line of an administrator
    kRefused,        // callers who are refused
    kReads,          // lines at level debug
  };

  struct Answer {
    bool write = false;     // write the line
    uint64_t left_out = 0;  // if so: how many lines of the same budget were left out before it
    bool begins = false;    // it is left out, and the first one in kSayEvery
  };
  // Decides about one more line at `now`.
  Answer Ask(Source source, uid_t uid, absl::Time now);

  struct LeftOut {
    uid_t uid;
    uint64_t lines;
  };
  // Forgets the budgets that are full again; returns what they have left out and not yet reported.
  std::vector<LeftOut> ForgetIdle(absl::Time now);

  size_t kept() const { return budgets_.size(); }

  static TokenBucket::Rate RateOf(Source source);

  static constexpr absl::Duration kSayEvery = absl::Seconds(10);
  static constexpr size_t kMaxKept = 1024;
  // Represents all uids that share a budget.
  static constexpr uid_t kTogether = static_cast<uid_t>(-1);  // no caller has it

 private:
  struct Budget {
    TokenBucket lines;
    uint64_t left_out = 0;
    absl::Time said = absl::InfinitePast();  // when that was last reported
  };
  using Key = std::pair<Source, uid_t>;

  Budget& BudgetOf(Source source, uid_t uid);

  std::map<Key, Budget> budgets_;
};

}  // namespace svnet
