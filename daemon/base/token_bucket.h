// What may happen now and then, and in bursts.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace svnet {

// A burst, and then so many a second. Not thread-safe. Pure: time is told.
class TokenBucket {
 public:
  struct Rate {
    double burst;
    double per_second;
  };

  explicit TokenBucket(const Rate& rate) : rate_(rate), left_(rate.burst) {}

  // Whether it may happen once more; `cost`: what of it counts.
  bool Take(absl::Time now, double cost = 1) {
    left_ = LeftAt(now);
    last_ = now;
    if (left_ < cost) return false;
    left_ -= cost;
    return true;
  }

  // Nothing of it is used: one that is new is the same.
  bool IsFull(absl::Time now) const { return LeftAt(now) >= rate_.burst; }

 private:
  double LeftAt(absl::Time now) const {
    // A clock that is set back gives nothing.
    const double seconds = std::max(0.0, absl::ToDoubleSeconds(now - last_));
    return std::min(rate_.burst, left_ + seconds * rate_.per_second);
  }

  Rate rate_;
  double left_;
  absl::Time last_ = absl::InfinitePast();
};

}  // namespace svnet
