// How many of something callers may have.
#include "daemon/base/quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using testing::ReasonIn;

constexpr uid_t kRoot = 0;
constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;

class PlacesQuotaTest : public ::testing::Test {
 protected:
  // Whether there was room; the place is kept.
  bool Enter(uid_t uid, bool administrator = false) {
    absl::StatusOr<Quota::Place> place = quota_.Enter(uid, administrator);
    if (place.ok()) places_.push_back(*std::move(place));
    return place.ok();
  }
  Quota& quota() { return quota_; }
  std::vector<Quota::Place>& places() { return places_; }

 private:
  Quota quota_{"things", {.of_one_uid = 3, .all = 20, .reserve = 4}};
  std::vector<Quota::Place> places_;
};

TEST_F(PlacesQuotaTest, OneUidHasItsShareAndIsToldSo) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Enter(kAlice));
  const absl::Status refused = quota().Enter(kAlice, false).status();
  EXPECT_EQ(ReasonIn(refused), "QUOTA_EXCEEDED");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("uid 1000 has 3 things open"));
  EXPECT_TRUE(Enter(kBob));
  places().erase(places().begin());
  EXPECT_TRUE(Enter(kAlice));
  EXPECT_FALSE(Enter(kAlice));
}

TEST_F(PlacesQuotaTest, UsersTogetherLeaveRoomForAdministrators) {
  for (uid_t uid = 2000; quota().count() < 16; ++uid) ASSERT_TRUE(Enter(uid));
  EXPECT_FALSE(Enter(kBob));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Enter(kRoot, true));
  EXPECT_FALSE(Enter(kRoot, true));
  EXPECT_FALSE(Enter(kBob));
  places().clear();
  EXPECT_EQ(quota().count(), 0u);
  EXPECT_TRUE(Enter(kBob));
}

TEST_F(PlacesQuotaTest, AdministratorsHaveNoLimitOfTheirOwn) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Enter(kRoot, true));
  EXPECT_FALSE(Enter(kRoot, true));
}

TEST_F(PlacesQuotaTest, APlaceThatIsMovedIsGivenBackOnce) {
  std::optional<Quota::Place> place = quota().Enter(kAlice, false).value();
  Quota::Place other = *std::move(place);
  place.reset();
  EXPECT_EQ(quota().count(), 1u);
  other = Quota::Place();
  EXPECT_EQ(quota().count(), 0u);
}

TEST(PlacesQuotaLifetimeTest, APlaceMayOutliveItsQuota) {
  std::optional<Quota> quota;
  quota.emplace("things", Quota::kOfStreams);
  const Quota::Place place = quota->Enter(kAlice, false).value();
  quota.reset();
}

}  // namespace
}  // namespace svnet
