// When to stop fighting somebody who undoes every repair.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace svnet {

// For each thing that may need repair: a burst of kBurst, then one for each kRefill. What
// needs more is left alone for kPause. Not thread-safe. Pure: time is told.
class RepairLimit {
 public:
  // Whether `thing` is to be left alone for now.
  bool IsPaused(const std::string& thing) const;
  // It was repaired, or that was tried.
  void Note(const std::string& thing, absl::Time now);

  // What is being left alone.
  std::vector<std::string> Paused() const;
  // When the next pause ends; nullopt: there is none.
  std::optional<absl::Time> NextDue() const;
  // Ends the pauses that are over. True if there were any: then look again.
  bool EndPauses(absl::Time now);

  static constexpr double kBurst = 64;
  static constexpr absl::Duration kRefill = absl::Seconds(1);
  static constexpr absl::Duration kPause = absl::Seconds(30);

 private:
  struct Budget {
    double left = kBurst;
    absl::Time at = absl::InfinitePast();
    std::optional<absl::Time> paused_until;
  };

  std::map<std::string, Budget> budgets_;
};

}  // namespace svnet
