// When other programs' rules are read again.
#include "daemon/foreign/run_schedule.h"

#include <gtest/gtest.h>

namespace svnet {
namespace {

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

// As after the first run.
RunSchedule Clean() {
  RunSchedule schedule;
  schedule.Begin(kNow);
  return schedule;
}

TEST(RunScheduleTest, RunsAtOnceAtStart) {
  const RunSchedule schedule;
  EXPECT_TRUE(schedule.IsDirty(kNow));
  EXPECT_LE(schedule.NextDue(false), kNow);
}

TEST(RunScheduleTest, IsNeverDueWhenNothingChanges) {
  EXPECT_EQ(Clean().NextDue(false), absl::InfiniteFuture());
  EXPECT_EQ(Clean().NextDue(true), kNow + RunSchedule::kLegacyInterval);
  EXPECT_FALSE(Clean().IsDirty(kNow + absl::Hours(1)));
}

TEST(RunScheduleTest, WaitsUntilChangesAreOver) {
  RunSchedule schedule = Clean();
  EXPECT_TRUE(schedule.MarkDirty(kNow));
  EXPECT_EQ(schedule.NextDue(false), kNow + RunSchedule::kQuietPeriod);
  const absl::Time later = kNow + absl::Milliseconds(15);
  EXPECT_FALSE(schedule.MarkDirty(later));  // one is pending
  EXPECT_EQ(schedule.NextDue(false), later + RunSchedule::kQuietPeriod);
}

TEST(RunScheduleTest, DoesNotWaitLongForChangesThatGoOn) {
  RunSchedule schedule = Clean();
  for (absl::Duration passed; passed < absl::Seconds(2); passed += absl::Milliseconds(10)) {
    schedule.MarkDirty(kNow + passed);
  }
  EXPECT_EQ(schedule.NextDue(false), kNow + RunSchedule::kMaxDelay);
}

TEST(RunScheduleTest, LetsALongRunBeFollowedByALongPause) {
  RunSchedule schedule = Clean();
  schedule.End(kNow, kNow + absl::Milliseconds(50));
  schedule.MarkDirtyNow();
  const absl::Time after_pause = kNow + absl::Milliseconds(50 + 20 * 50);
  EXPECT_EQ(schedule.NextDue(false), after_pause);
  schedule.RetryAt(kNow + absl::Milliseconds(60));
  EXPECT_EQ(schedule.NextDue(false), after_pause);
}

TEST(RunScheduleTest, RetriesWhenItIsTime) {
  RunSchedule schedule = Clean();
  schedule.RetryAt(kNow + absl::Seconds(10));
  EXPECT_EQ(schedule.NextDue(false), kNow + absl::Seconds(10));
  EXPECT_FALSE(schedule.IsDirty(kNow + absl::Seconds(9)));
  EXPECT_TRUE(schedule.IsDirty(kNow + absl::Seconds(10)));
  schedule.Clear();
  EXPECT_EQ(schedule.NextDue(false), absl::InfiniteFuture());
}

}  // namespace
}  // namespace svnet
