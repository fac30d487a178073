// When retired TAPs are reaped.
#include "daemon/network/reap_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "daemon/kernel/kernel.h"
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
  queue_.Finish(0, ReapOutcome::kDone);
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

TEST_F(ReapQueueTest, WhatIsAddedWhileAGroupIsDestroyedWaitsForIt) {
  queue_.Add(1, {.address = Ip("10.0.0.2")}, now_);
  EXPECT_THAT(queue_.Take().taps, SizeIs(1));
  queue_.Add(2, {.address = Ip("10.0.0.3")}, now_);
  EXPECT_EQ(queue_.NextDue(), std::nullopt);
  EXPECT_EQ(queue_.size(), 2u);
  EXPECT_EQ(queue_.addresses(), 2u);
  EXPECT_THAT(queue_.Finish(0, ReapOutcome::kFailed), SizeIs(1));
  EXPECT_THAT(queue_.Take().taps, SizeIs(2));
  EXPECT_THAT(queue_.Finish(0, ReapOutcome::kDone), SizeIs(2));
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(ReapQueueTest, TheNextTapIsNotInAGroupThatIsBeingDestroyed) {
  EXPECT_EQ(queue_.NextGroup(), 0u);
  queue_.Add(1, {.group_number = 0}, now_);
  EXPECT_EQ(queue_.NextGroup(), 0u);
  EXPECT_EQ(queue_.Take().group_number, 0u);
  EXPECT_EQ(queue_.NextGroup(), 1u);
  queue_.Add(2, {.group_number = 1}, now_);
  // Together with others that are retired now, not because the other piece was due.
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kQuietPeriod);
  EXPECT_EQ(queue_.Take().group_number, 1u);
  EXPECT_EQ(queue_.NextGroup(), 2u);
  EXPECT_TRUE(queue_.IsTaken());
  EXPECT_THAT(queue_.Finish(1, ReapOutcome::kDone), SizeIs(1));
  EXPECT_TRUE(queue_.IsTaken());
  EXPECT_THAT(queue_.Finish(0, ReapOutcome::kDone), SizeIs(1));
  EXPECT_FALSE(queue_.IsTaken());
  EXPECT_EQ(queue_.NextGroup(), 0u);
}

class ManyReapQueueTest : public ReapQueueTest {
 protected:
  // Returns the sizes of the pieces.
  std::vector<size_t> AddAndTakeAll(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      queue_.Add(static_cast<Ifindex>(i), {.group_number = queue_.NextGroup()}, now_);
    }
    std::vector<size_t> sizes;
    EXPECT_GT(*queue_.NextDue(), now_);
    while (queue_.NextDue().has_value()) {
      sizes.push_back(queue_.Take().taps.size());
      // The others need not wait any more.
      EXPECT_LT(queue_.NextDue().value_or(absl::UnixEpoch()), now_);
    }
    return sizes;
  }
};

TEST_F(ManyReapQueueTest, AllThatABridgeHasAreInPieces) {
  const std::vector<size_t> sizes = AddAndTakeAll(kMaxBridgePorts);
  EXPECT_EQ(sizes.size(), kMaxBridgePorts / ReapQueue::kPieceSize + 1);
  for (const size_t size : sizes) EXPECT_LE(size, ReapQueue::kPieceSize);
}

TEST_F(ManyReapQueueTest, MoreThanAllGroupsHoldAreInLargerPieces) {
  const size_t count = 2 * kRetiredGroups * ReapQueue::kPieceSize;
  const std::vector<size_t> sizes = AddAndTakeAll(count);
  EXPECT_EQ(sizes, std::vector<size_t>(kRetiredGroups, 2 * ReapQueue::kPieceSize));
}

TEST_F(ReapQueueTest, APieceSaysThatOtherLinksAreInItsGroup) {
  queue_.Add(1, {}, now_);
  queue_.NoteGroup(1, 0);  // a TAP that is retired is none of them
  EXPECT_FALSE(queue_.Take().has_others);
  queue_.Finish(0, ReapOutcome::kFailed);
  queue_.NoteGroup(2, 0);
  EXPECT_TRUE(queue_.Take().has_others);
  queue_.Finish(0, ReapOutcome::kFailed);
  for (const auto& leaves : std::vector<std::function<void()>>{
           [&] { queue_.NoteGroup(2, std::nullopt); }, [&] { queue_.NoteGroup(2, 5); },
           [&] { queue_.NoteGone(2); }, [&] { queue_.ForgetGroups(); },
           [&] { queue_.Add(2, {}, now_); }}) {
    leaves();
    EXPECT_FALSE(queue_.Take().has_others);
    queue_.Finish(0, ReapOutcome::kFailed);
    queue_.NoteGroup(2, 0);
  }
}

TEST_F(ReapQueueTest, TapsAvoidAGroupWithOtherLinks) {
  queue_.NoteGroup(7, 0);
  EXPECT_EQ(queue_.NextGroup(), 1u);
  for (uint32_t number = 1; number < kRetiredGroups; ++number) {
    queue_.NoteGroup(static_cast<Ifindex>(100 + number), number);
  }
  EXPECT_EQ(queue_.NextGroup(), 0u);
}

TEST_F(ReapQueueTest, AddressesCountUntilTheLastTapWithThemIsReaped) {
  queue_.Add(1, {.address = Ip("10.0.0.2")}, now_);
  queue_.Take();
  queue_.Add(2, {.address = Ip("10.0.0.2")}, now_);
  queue_.Finish(0, ReapOutcome::kDone);
  EXPECT_TRUE(queue_.HasAddress(Ip("10.0.0.2")));
  queue_.Take();
  queue_.Finish(0, ReapOutcome::kDone);
  EXPECT_FALSE(queue_.HasAddress(Ip("10.0.0.2")));
}

TEST_F(ReapQueueTest, ATapThatIsGoneStaysForItsFlows) {
  queue_.Add(1, {.address = Ip("10.0.0.2")}, now_);
  queue_.NoteGone(1);
  EXPECT_TRUE(queue_.Take().taps.at(1).gone);
}

TEST_F(ReapQueueTest, ATapThatIsDestroyedWaitsForItsFlowsToEnd) {
  queue_.Add(1, {.address = Ip("10.0.0.2")}, now_);
  EXPECT_TRUE(queue_.HasDevices());
  queue_.Take();
  EXPECT_TRUE(queue_.HasDevices());
  EXPECT_FALSE(queue_.Finish(0, ReapOutcome::kFlowsLeft).at(1).gone);
  EXPECT_FALSE(queue_.HasDevices());
  EXPECT_TRUE(queue_.Take().taps.at(1).gone);
  EXPECT_TRUE(queue_.HasAddress(Ip("10.0.0.2")));
}

TEST_F(ReapQueueTest, ATapThatWasTamperedWithIsReapedWithOthersOrAfterAPenalty) {
  queue_.Add(7, {.counts_for = 1000, .queues = 1}, now_);
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kPenalty);
  EXPECT_EQ(queue_.HoldingsOf(1000).taps, 1u);
  queue_.Add(8, {}, now_);
  EXPECT_EQ(queue_.NextDue(), now_ + ReapQueue::kQuietPeriod);
  queue_.Take();
  queue_.Finish(0, ReapOutcome::kFailed);
  EXPECT_TRUE(queue_.NextDue().has_value());
  EXPECT_EQ(queue_.HoldingsOf(1000).taps, 1u);
  queue_.Take();
  queue_.Finish(0, ReapOutcome::kDone);
  EXPECT_EQ(queue_.HoldingsOf(1000).taps, 0u);
}

}  // namespace
}  // namespace svnet
