// When retired TAPs are reaped.
#include "daemon/network/reap_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/values.h"

namespace svnet {
namespace {

using testing::Ip;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReapQueueTest : public ::testing::Test {
 protected:
  const absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  ReapQueue queue_;
};

TEST_F(ReapQueueTest, AnEmptyQueueIsNeverDue) { EXPECT_EQ(queue_.NextDue(), std::nullopt); }

TEST_F(ReapQueueTest, WaitsForAQuietPeriodAndForNoTapTooLong) {
  queue_.Add(1, {.address = Ip("10.0.0.2")}, now_);
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kQuietPeriod);
  queue_.NoteActivity(now_ + absl::Milliseconds(40));
  EXPECT_EQ(queue_.NextDue(), now_ + absl::Milliseconds(40) + ReapQueue::kQuietPeriod);
  queue_.NoteActivity(now_ + absl::Seconds(5));
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kMaxDelay);
}

TEST_F(ReapQueueTest, FlushNowMakesItDueAtOnce) {
  queue_.Add(1, {}, now_);
  queue_.FlushNow();
  EXPECT_LT(*queue_.NextDue(), now_);
  queue_.Take();
  queue_.Finish(true);
  queue_.Add(2, {}, now_);  // once
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kQuietPeriod);
}

TEST_F(ReapQueueTest, DelaysAfterAFailure) {
  queue_.Add(1, {}, now_);
  queue_.FlushNow();
  queue_.DelayUntil(now_ + absl::Seconds(1));
  EXPECT_EQ(queue_.NextDue(), now_ + absl::Seconds(1));
}

TEST_F(ReapQueueTest, ALargeBatchWaitsAFifth) {
  for (size_t i = 0; i < ReapQueue::kLargeBatch; ++i) queue_.Add(static_cast<int>(i), {}, now_);
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kQuietPeriod / 5);
}

TEST_F(ReapQueueTest, HasOneBatchAtATime) {
  queue_.Add(1, {.address = Ip("10.0.0.2")}, now_);
  EXPECT_THAT(queue_.Take(), SizeIs(1));
  queue_.Add(2, {.address = Ip("10.0.0.3")}, now_);
  EXPECT_EQ(queue_.NextDue(), std::nullopt);
  EXPECT_EQ(queue_.size(), 2u);
  EXPECT_EQ(queue_.addresses(), 2u);
  EXPECT_THAT(queue_.Finish(false), IsEmpty());
  EXPECT_THAT(queue_.Take(), SizeIs(2));
  EXPECT_THAT(queue_.Finish(true), SizeIs(2));
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(ReapQueueTest, AddressesCountUntilTheLastTapWithThemIsReaped) {
  queue_.Add(1, {.address = Ip("10.0.0.2")}, now_);
  queue_.Take();
  queue_.Add(2, {.address = Ip("10.0.0.2")}, now_);
  queue_.Finish(true);
  EXPECT_TRUE(queue_.HasAddress(Ip("10.0.0.2")));
  queue_.Take();
  queue_.Finish(true);
  EXPECT_FALSE(queue_.HasAddress(Ip("10.0.0.2")));
}

TEST_F(ReapQueueTest, ATapThatIsGoneStaysForItsFlows) {
  queue_.Add(1, {.address = Ip("10.0.0.2")}, now_);
  queue_.NoteGone(1);
  EXPECT_TRUE(queue_.Take().at(1).gone);
}

TEST_F(ReapQueueTest, ATapThatWasTamperedWithIsReapedWithOthersOrAfterAPenalty) {
  queue_.Add(7, {.counts_for = 1000, .queues = 1}, now_);
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kPenalty);
  EXPECT_EQ(queue_.HoldingsOf(1000).taps, 1u);
  queue_.Add(8, {}, now_);
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kQuietPeriod);
  queue_.Take();
  queue_.Finish(false);
  EXPECT_TRUE(queue_.NextDue().has_value());
  EXPECT_EQ(queue_.HoldingsOf(1000).taps, 1u);
  queue_.Take();
  queue_.Finish(true);
  EXPECT_EQ(queue_.HoldingsOf(1000).taps, 0u);
}

}  // namespace
}  // namespace svnet
