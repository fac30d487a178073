#include "daemon/base/repair_limit.h"

#include <algorithm>

namespace svnet {

bool RepairLimit::IsPaused(const std::string& thing) const {
  const auto found = budgets_.find(thing);
  return found != budgets_.end() && found->second.paused_until.has_value();
}

void RepairLimit::Note(const std::string& thing, absl::Time now) {
  Budget& budget = budgets_[thing];
  AgendaOf(budget).erase({budget.Ends(), thing});
  budget.left = std::min(kBurst, budget.left + absl::FDivDuration(now - budget.at, kRefill));
  budget.at = now;
  if (--budget.left < 1) budget.paused_until = now + kPause;
  AgendaOf(budget).emplace(budget.Ends(), thing);
}

void RepairLimit::Forget(const std::string& thing) {
  const auto found = budgets_.find(thing);
  if (found == budgets_.end()) return;
  AgendaOf(found->second).erase({found->second.Ends(), thing});
  budgets_.erase(found);
}

std::vector<std::string> RepairLimit::Paused() const {
  std::vector<std::string> paused;
  for (const auto& [until, thing] : pauses_) paused.push_back(thing);
  std::sort(paused.begin(), paused.end());
  return paused;
}

std::optional<absl::Time> RepairLimit::NextDue() const {
  if (pauses_.empty()) return std::nullopt;
  return pauses_.begin()->first;
}

bool RepairLimit::EndPauses(absl::Time now) {
  bool ended = false;
  for (Agenda* agenda : {&pauses_, &refills_}) {
    while (!agenda->empty() && agenda->begin()->first <= now) {
      ended |= agenda == &pauses_;
      budgets_.erase(agenda->begin()->second);
      agenda->erase(agenda->begin());
    }
  }
  return ended;
}

}  // namespace svnet
