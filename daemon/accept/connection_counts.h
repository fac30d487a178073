// How many connections there are, and whether there may be one more.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/accept/admission.h"
#include "daemon/base/token_bucket.h"
#include "daemon/network/caller.h"

namespace svnet {

// How many connections there may be at a time, of each kind by itself: those of one kind never
// keep another out.
struct ConnectionLimits {
  size_t users;
  size_t administrators;  // a quarter of them root's alone

  // What that many descriptors are enough for: at most `users` of users.
  static ConnectionLimits Plan(size_t descriptors, size_t users);
  // Of those on the socket of TAPs, which take one each: a small part of all.
  static ConnectionLimits PlanForTaps(size_t descriptors);
};

// Counts connections by uid and by kind: of users, of administrators, and of those who are only
// told why they are refused. Not thread-safe. Pure: time is told.
class ConnectionCounts {
 public:
  explicit ConnectionCounts(const ConnectionLimits& limits) : limits_(limits) {}

  // From now on.
  void ChangeLimits(const ConnectionLimits& limits) { limits_ = limits; }

  // Counts one more, or returns false: it is to be closed without a word. Of an admitted caller
  // with as many as it may have, `verdict` becomes an error that says so.
  bool Add(const Admission& admission, absl::Status* verdict, absl::Time now);
  // One that Add has counted has ended. `verdict` as Add left it.
  void Remove(const Caller& caller, const absl::Status& verdict);

  // For the log.
  std::string ToString() const;

  // Those who are told why they are refused; others are only closed.
  static constexpr TokenBucket::Rate kRefusedRate = {.burst = 256, .per_second = 200};
  static constexpr uint32_t kMaxRefused = 64;
  static constexpr uint32_t kMaxRefusedOfOneUid = 8;

 private:
  // Of one uid, or of all.
  struct Count {
    uint32_t users = 0;
    uint32_t administrators = 0;
    uint32_t refused = 0;

    uint32_t& Of(const Caller& caller, const absl::Status& verdict);
    uint32_t admitted() const { return users + administrators; }
  };

  bool MayAdd(const Admission& admission, absl::Status* verdict, absl::Time now);
  bool HasRoomFor(const Caller& caller) const;

  ConnectionLimits limits_;
  Count count_;                     // of all
  std::map<uid_t, Count> counts_;   // of those who have connections
  TokenBucket told_{kRefusedRate};  // why they are refused
};

}  // namespace svnet
