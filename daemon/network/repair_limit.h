// When to pause repairs that are undone again and again.
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

// For each thing that may need repair: a burst of kBurst, then one for each kRefill. What
// needs more is left alone for kPause. What it knows of a thing goes with the thing, or when
// its budget is full again; what it is asked costs the same however many things there are. Not
// thread-safe. Pure: time is told.
class RepairLimit {
 public:
  // Whether `thing` is to be left alone for now.
  bool IsPaused(const std::string& thing) const;
  // It was repaired, or that was tried.
  void Note(const std::string& thing, absl::Time now);

  // There is no such thing any more: another of that name has a budget of its own.
  void Forget(const std::string& thing);

  // What is being left alone.
  std::vector<std::string> Paused() const;
  // When the next pause ends; nullopt: there is none.
  std::optional<absl::Time> NextDue() const;
  // Ends the pauses that are over, and forgets what has its whole budget again. True if there
  // were any pauses: then look again.
  bool EndPauses(absl::Time now);

  // How many things it knows of.
  size_t size() const { return budgets_.size(); }

  static constexpr double kBurst = 64;
  static constexpr absl::Duration kRefill = absl::Seconds(1);
  static constexpr absl::Duration kPause = absl::Seconds(30);

 private:
  struct Budget {
    double left = kBurst;
    absl::Time at = absl::InfinitePast();
    std::optional<absl::Time> paused_until;

    // When it is as one that is new.
    absl::Time Ends() const { return paused_until.value_or(at + (kBurst - left) * kRefill); }
  };
  using Agenda = std::set<std::pair<absl::Time, std::string>>;

  Agenda& AgendaOf(const Budget& budget) { return budget.paused_until ? pauses_ : refills_; }

  std::map<std::string, Budget> budgets_;
  Agenda pauses_;  // each of budgets_ is in one of them, by Ends
  Agenda refills_;
};

}  // namespace svnet
