#include "daemon/network/repair_limit.h"

#include <algorithm>

namespace svnet {

bool RepairLimit::IsPaused(const std::string& thing) const {
  const auto found = budgets_.find(thing);
  return found != budgets_.end() && found->second.paused_until.has_value();
}

void RepairLimit::Note(const std::string& thing, absl::Time now) {
  Budget& budget = budgets_[thing];
  budget.left = std::min(kBurst, budget.left + absl::FDivDuration(now - budget.at, kRefill));
  budget.at = now;
  if (--budget.left < 1) budget.paused_until = now + kPause;
}

std::vector<std::string> RepairLimit::Paused() const {
  std::vector<std::string> paused;
  for (const auto& [thing, budget] : budgets_) {
    if (budget.paused_until.has_value()) paused.push_back(thing);
  }
  return paused;
}

std::optional<absl::Time> RepairLimit::NextDue() const {
  std::optional<absl::Time> next;
  for (const auto& [thing, budget] : budgets_) {
    if (!budget.paused_until.has_value()) continue;
    if (!next.has_value() || *budget.paused_until < *next) next = budget.paused_until;
  }
  return next;
}

bool RepairLimit::EndPauses(absl::Time now) {
  // What has had no repair for so long has its whole budget again.
  return std::erase_if(budgets_, [&](const auto& each) {
           const Budget& budget = each.second;
           return budget.paused_until.has_value() && *budget.paused_until <= now;
         }) > 0;
}

}  // namespace svnet
