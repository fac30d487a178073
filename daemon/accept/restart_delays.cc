#include "daemon/accept/restart_delays.h"

#include <algorithm>

namespace svnet {

void RestartDelays::Died(uid_t uid, absl::Time now) {
  std::erase_if(deaths_, [&](const auto& each) { return now - each.second.last > kForgotten; });
  Deaths& deaths = deaths_[uid];
  ++deaths.count;
  deaths.last = now;
}

absl::Time RestartDelays::NotBefore(uid_t uid, absl::Time now) const {
  const auto found = deaths_.find(uid);
  if (found == deaths_.end() || found->second.count < 2) return now;
  absl::Duration delay = kFirst;
  for (int i = 2; i < found->second.count && delay < kLongest; ++i) delay *= 2;
  return std::max(now, found->second.last + std::min(delay, kLongest));
}

}  // namespace svnet
