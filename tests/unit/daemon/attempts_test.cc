#include "daemon/service/attempts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "daemon/base/condition.h"
#include "daemon/rpc/status_board.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AttemptsTest : public ::testing::Test {
 protected:
  AttemptsTest() { spdlog::set_level(spdlog::level::off); }
  ~AttemptsTest() override { spdlog::set_level(spdlog::level::info); }

  void Begin() {
    attempts_.Begin({.condition = "X_MISSING",
                     .what = "no x",
                     .level = spdlog::level::warn,
                     .remedy = "get x",
                     .run = [this] {
                       ++runs_;
                       return result_;
                     }});
  }
  // "TYPE: message (remedy)" of each.
  std::vector<std::string> Conditions() const {
    std::vector<Condition> conditions;
    board_.AppendTo(&conditions);
    std::vector<std::string> texts;
    for (const Condition& each : conditions) {
      texts.push_back(absl::StrCat(each.type, ": ", each.message, " (", each.remedy, ")"));
    }
    return texts;
  }
  // Seconds until the next attempt, which then runs.
  double PassToNext() {
    const absl::Time next = attempts_.NextDue().value();
    const double seconds = absl::ToDoubleSeconds(next - now_);
    now_ = next;
    attempts_.RunDue();
    return seconds;
  }

  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  StatusBoard board_;
  Attempts attempts_{&board_, [this] { return now_; }};
  absl::Status result_ = absl::UnavailableError("x is away");
  int runs_ = 0;
};

TEST_F(AttemptsTest, WhatSucceedsAtOnceIsNotTriedAgain) {
  result_ = absl::OkStatus();
  Begin();
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(attempts_.NextDue(), std::nullopt);
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(AttemptsTest, WhatFailsIsTriedAgainWithGrowingPauses) {
  Begin();
  std::vector<double> pauses;
  for (int i = 0; i < 7; ++i) pauses.push_back(PassToNext());
  EXPECT_THAT(pauses, ElementsAre(1, 2, 4, 8, 16, 30, 30));
  EXPECT_EQ(runs_, 8);
  attempts_.RunDue();  // nothing is due
  EXPECT_EQ(runs_, 8);
}

TEST_F(AttemptsTest, AConditionSaysWhatIsMissingUntilItIsThere) {
  Begin();
  EXPECT_THAT(Conditions(), ElementsAre("X_MISSING: no x: x is away (get x)"));
  result_ = absl::UnavailableError("x is broken");
  PassToNext();
  EXPECT_THAT(Conditions(), ElementsAre("X_MISSING: no x: x is broken (get x)"));
  result_ = absl::OkStatus();
  PassToNext();
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_EQ(attempts_.NextDue(), std::nullopt);
}

}  // namespace
}  // namespace svnet
