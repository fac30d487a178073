// How many lines of the log a caller is worth.
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

// For each uid bursts of lines, and then so many a second; what is left out is counted. A
// uid has one budget however many connections, groups or services it comes by. Those who are
// refused access have one for all of them together: of uids that are not admitted anybody may
// have as many as there are.
//
// What it knows of a uid goes when its budget is full again, and there are never more than
// kMaxKept: uids beyond that share one budget until others are idle. Not thread-safe. Pure:
// time is told.
class LogLimit {
 public:
  enum class Source {
    kChange,         // a user's call that changed something
    kUser,           // a user's other lines
    kAdministrator,  // any line of an administrator's
    kRefused,        // of those who may not use svnetd, and who are turned away
    kReads,          // at level debug
  };

  struct Answer {
    bool write = false;     // the line may be written
    uint64_t left_out = 0;  // if so: how many before it, of the same budget, were not
    bool begins = false;    // it is left out, the first one for kSayEvery
  };
  // Of one more line at `now`.
  Answer Ask(Source source, uid_t uid, absl::Time now);

  struct LeftOut {
    uid_t uid;
    uint64_t lines;
  };
  // Forgets the budgets that are full again: what they have left out and not yet said.
  std::vector<LeftOut> ForgetIdle(absl::Time now);

  size_t kept() const { return budgets_.size(); }

  static TokenBucket::Rate RateOf(Source source);

  static constexpr absl::Duration kSayEvery = absl::Seconds(10);
  static constexpr size_t kMaxKept = 1024;
  // Stands for all uids that share a budget.
  static constexpr uid_t kTogether = static_cast<uid_t>(-1);  // no caller has it

 private:
  struct Budget {
    TokenBucket lines;
    uint64_t left_out = 0;
    absl::Time said = absl::InfinitePast();  // that there are too many
  };
  using Key = std::pair<Source, uid_t>;

  Budget& BudgetOf(Source source, uid_t uid);

  std::map<Key, Budget> budgets_;
};

}  // namespace svnet
