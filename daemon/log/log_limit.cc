#include "daemon/log/log_limit.h"

namespace svnet {

TokenBucket::Rate LogLimit::RateOf(Source source) {
  switch (source) {
    case Source::kChange:
      return {.burst = 500, .per_second = 50};
    case Source::kAdministrator:
      return {.burst = 2000, .per_second = 200};
    case Source::kReads:
      return {.burst = 500, .per_second = 50};
    case Source::kUser:
    case Source::kRefused:
      break;
  }
  return {.burst = 100, .per_second = 10};
}

LogLimit::Budget& LogLimit::BudgetOf(Source source, uid_t uid) {
  Key key(source, source == Source::kRefused ? kTogether : uid);
  // Its own budget if there is room, otherwise the shared one: the few shared ones come on top of
  // kMaxKept.
  if (!budgets_.contains(key) && budgets_.size() >= kMaxKept) key.second = kTogether;
  return budgets_.try_emplace(key, Budget{.lines = TokenBucket(RateOf(source))}).first->second;
}

LogLimit::Answer LogLimit::Ask(Source source, uid_t uid, absl::Time now) {
  Budget& budget = BudgetOf(source, uid);
  if (budget.lines.Take(now)) {
    return {.write = true, .left_out = std::exchange(budget.left_out, 0)};
  }
  ++budget.left_out;
  const bool begins = now - budget.said >= kSayEvery;
  if (begins) budget.said = now;
  return {.begins = begins};
}

std::vector<LogLimit::LeftOut> LogLimit::ForgetIdle(absl::Time now) {
  std::vector<LeftOut> unsaid;
  std::erase_if(budgets_, [&](const auto& each) {
    const auto& [key, budget] = each;
    if (!budget.lines.IsFull(now)) return false;
    if (budget.left_out > 0) unsaid.push_back({.uid = key.second, .lines = budget.left_out});
    return true;
  });
  return unsaid;
}

}  // namespace svnet
