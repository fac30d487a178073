// When to look at other programs' rules again.
#pragma once

#include <optional>

#include "absl/time/time.h"

namespace svnet {

// A reload of a firewall is many changes: a run waits until there was none for kQuietPeriod, at
// most kMaxDelay. After a run it stays idle kMinIdleRatio times as long as the run took, so that
// large rulesets which change all the time cost at most a twentieth of a processor. Not
// thread-safe. Pure: the time is an argument.
class RunSchedule {
 public:
  // Rules have changed. True if no change was pending: then wake up whoever waits.
  bool MarkDirty(absl::Time now);
  // The same, without waiting for more changes.
  void MarkDirtyNow() { dirty_since_ = absl::InfinitePast(); }
  void RetryAt(absl::Time when) { retry_at_ = when; }
  // Nothing is pending any more.
  void Clear();

  // A run begins, and does all that was pending.
  void Begin(absl::Time now);
  void End(absl::Time start, absl::Time end) { not_before_ = end + kMinIdleRatio * (end - start); }

  // Whether there is more to do than to look whether iptables-legacy's rules have changed.
  bool IsDirty(absl::Time now) const;
  // When the next run is due. `polls`: also if nothing is pending, every kLegacyInterval.
  absl::Time NextDue(bool polls) const;

  static constexpr absl::Duration kQuietPeriod = absl::Milliseconds(20);
  static constexpr absl::Duration kMaxDelay = absl::Milliseconds(500);
  static constexpr int kMinIdleRatio = 20;
  // The kernel does not report changes of iptables-legacy's rules.
  static constexpr absl::Duration kLegacyInterval = absl::Seconds(10);

 private:
  // First and latest change that no run has seen. Set at start, because an earlier svnetd may
  // have left rules.
  std::optional<absl::Time> dirty_since_ = absl::InfinitePast();
  absl::Time last_change_ = absl::InfinitePast();
  absl::Time not_before_ = absl::InfinitePast();
  std::optional<absl::Time> retry_at_;
  absl::Time next_legacy_look_ = absl::InfinitePast();
};

}  // namespace svnet
