// When to stop repairing something that keeps being changed back.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace svnet {

// Each thing has a budget of kBurst repairs and one more per kRefill. A thing that needs more is
// not repaired for kPause. A budget is forgotten with its thing, or when it is full again; calls
// cost the same however many things there are. Not thread-safe. Pure: the time is an argument.
class RepairLimit {
 public:
  // Whether `thing` is not to be repaired now.
  bool IsPaused(const std::string& thing) const;
  // A repair was made or tried.
  void Note(const std::string& thing, absl::Time now);

  // The thing is gone: another one of that name gets a new budget.
  void Forget(const std::string& thing);

  // The things that are not repaired now.
  std::vector<std::string> Paused() const;
  // When the next pause ends; nullopt: nothing is paused.
  std::optional<absl::Time> NextDue() const;
  // Ends the pauses that are over, and forgets full budgets. True if a pause ended: then look
  // again.
  bool EndPauses(absl::Time now);

  // How many things have a budget.
  size_t size() const { return budgets_.size(); }

  static constexpr double kBurst = 64;
  static constexpr absl::Duration kRefill = absl::Seconds(1);
  static constexpr absl::Duration kPause = absl::Seconds(30);

 private:
  struct Budget {
    double left = kBurst;
    absl::Time at = absl::InfinitePast();
    std::optional<absl::Time> paused_until;

    // When the pause ends, or the budget is full again.
    absl::Time Ends() const { return paused_until.value_or(at + (kBurst - left) * kRefill); }
  };
  using Agenda = std::set<std::pair<absl::Time, std::string>>;

  Agenda& AgendaOf(const Budget& budget) { return budget.paused_until ? pauses_ : refills_; }

  std::map<std::string, Budget> budgets_;
  Agenda pauses_;  // each of budgets_ is in one of these sets, by Ends
  Agenda refills_;
};

}  // namespace svnet
