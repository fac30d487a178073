#include "daemon/foreign/run_schedule.h"

#include <algorithm>

namespace svnet {

bool RunSchedule::MarkDirty(absl::Time now) {
  last_change_ = now;
  if (dirty_since_.has_value()) return false;
  dirty_since_ = now;
  return true;
}

void RunSchedule::Clear() {
  dirty_since_.reset();
  retry_at_.reset();
}

void RunSchedule::Begin(absl::Time now) {
  Clear();
  next_legacy_look_ = now + kLegacyInterval;
}

bool RunSchedule::IsDirty(absl::Time now) const {
  return dirty_since_.has_value() || (retry_at_.has_value() && *retry_at_ <= now);
}

absl::Time RunSchedule::NextDue(bool polls) const {
  absl::Time due = polls ? next_legacy_look_ : absl::InfiniteFuture();
  if (retry_at_.has_value()) due = std::min(due, std::max(*retry_at_, not_before_));
  if (dirty_since_.has_value()) {
    const absl::Time settled = std::min(last_change_ + kQuietPeriod, *dirty_since_ + kMaxDelay);
    due = std::min(due, std::max(settled, not_before_));
  }
  return due;
}

}  // namespace svnet
