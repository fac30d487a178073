// When to stop fighting somebody who undoes every repair.
#include "daemon/base/repair_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RepairLimitTest : public ::testing::Test {
 protected:
  void Note(const std::string& thing, int times) {
    for (int i = 0; i < times; ++i) limit_.Note(thing, now_);
  }

  RepairLimit limit_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
};

TEST_F(RepairLimitTest, PausesOnlyTheThingThatNeedsTooMany) {
  Note("tap1", 63);
  EXPECT_FALSE(limit_.IsPaused("tap1"));
  Note("tap1", 1);
  Note("tap2", 1);
  EXPECT_TRUE(limit_.IsPaused("tap1"));
  EXPECT_FALSE(limit_.IsPaused("tap2"));
  EXPECT_THAT(limit_.Paused(), ElementsAre("tap1"));
  EXPECT_EQ(limit_.NextDue(), now_ + RepairLimit::kPause);
  now_ += RepairLimit::kPause;
  EXPECT_TRUE(limit_.EndPauses(now_));
  EXPECT_FALSE(limit_.IsPaused("tap1"));
  EXPECT_FALSE(limit_.EndPauses(now_));
}

TEST_F(RepairLimitTest, ForgetsAThingThatIsGone) {
  Note("tap1", 64);
  limit_.Forget("tap1");
  limit_.Forget("tap1");
  EXPECT_FALSE(limit_.IsPaused("tap1"));
  EXPECT_THAT(limit_.Paused(), IsEmpty());
  EXPECT_EQ(limit_.NextDue(), std::nullopt);
  EXPECT_EQ(limit_.size(), 0u);
  Note("tap1", 63);
  EXPECT_FALSE(limit_.IsPaused("tap1"));
}

TEST_F(RepairLimitTest, ForgetsAThingWhoseBudgetIsFullAgain) {
  for (int i = 0; i < 1000; ++i) Note(absl::StrCat("tap", i), 1 + i % 3);
  EXPECT_EQ(limit_.size(), 1000u);
  now_ += RepairLimit::kRefill;
  EXPECT_FALSE(limit_.EndPauses(now_));
  EXPECT_EQ(limit_.size(), 666u);
  now_ += 2 * RepairLimit::kRefill;
  EXPECT_FALSE(limit_.EndPauses(now_));
  EXPECT_EQ(limit_.size(), 0u);
}

TEST_F(RepairLimitTest, NeverPausesOccasionalRepairs) {
  for (int i = 0; i < 500; ++i) {
    Note("tap1", 1);
    EXPECT_FALSE(limit_.IsPaused("tap1"));
    now_ += RepairLimit::kRefill;
    limit_.EndPauses(now_);
  }
  EXPECT_LE(limit_.size(), 1u);
}

}  // namespace
}  // namespace svnet
