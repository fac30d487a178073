// A Cleanup that takes its turns among other calls.
#include "daemon/network/cleanup.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CleanupTest : public NetworkRegistryTest {
 protected:
  static constexpr int kCount = 2 * Cleanup::kPiece + 10;

  CleanupTest() {
    for (int i = 0; i < kCount; ++i) MustCreate(kRoot, absl::StrCat("m", i));
  }
  std::unique_ptr<Cleanup> Begin(CleanupScope scope) {
    std::unique_ptr<Cleanup> cleanup = api().BeginCleanup(kRoot, {.scope = scope});
    EXPECT_FALSE(cleanup->GoOn().has_value());
    EXPECT_FALSE(cleanup->waits_for_reaping());
    EXPECT_THAT(List(kRoot), SizeIs(kCount - Cleanup::kPiece));
    return cleanup;
  }
  std::string NameOfOne() { return List(kRoot)[0].spec.tap.text(); }
  absl::Status RemoveOne() { return api().RemoveTap(kRoot, List(kRoot)[0].spec.tap).status(); }
};

TEST_F(CleanupTest, LetsOthersComeBetween) {
  const auto cleanup = Begin(CleanupScope::kCaller);
  EXPECT_TRUE(Create(kBob, "vm1").ok());
  EXPECT_FALSE(cleanup->GoOn().has_value());
  EXPECT_EQ(cleanup->GoOn()->value().taps_removed, kCount);
  EXPECT_THAT(List(kRoot), SizeIs(1));
}

TEST_F(CleanupTest, TakesWhatThereWasWhenItBegan) {
  const auto cleanup = Begin(CleanupScope::kCaller);
  EXPECT_TRUE(RemoveOne().ok());  // is not counted
  Reap();
  EXPECT_TRUE(RemoveOne().ok());  // is retired still
  kernel_.Delete(NameOfOne());    // is not known yet
  MustCreate(kRoot, "later");     // stays
  EXPECT_FALSE(cleanup->GoOn().has_value());
  EXPECT_EQ(cleanup->GoOn()->value().taps_removed, kCount - 3);
  EXPECT_EQ(NameOfOne(), "svlateeth0");
  EXPECT_THAT(List(kRoot), SizeIs(1));
}

TEST_F(CleanupTest, OfANetworkTakesWhatIsMadeMeanwhile) {
  const std::unique_ptr<Cleanup> cleanup = Begin(CleanupScope::kNetwork);
  EXPECT_FALSE(cleanup->GoOn().has_value());
  MustCreate(kBob, "vm1");
  EXPECT_FALSE(cleanup->GoOn().has_value());
  EXPECT_FALSE(cleanup->waits_for_reaping());  // there is a new one
  EXPECT_FALSE(cleanup->GoOn().has_value());
  EXPECT_TRUE(cleanup->waits_for_reaping());
  EXPECT_FALSE(cleanup->GoOn().has_value());  // nothing was reaped yet
  EXPECT_TRUE(cleanup->waits_for_reaping());
  Reap();
  const CleanupResult result = cleanup->GoOn()->value();
  EXPECT_EQ(result.taps_removed, kCount + 1);
  EXPECT_TRUE(result.bridge_removed);
}

TEST_F(CleanupTest, OfANetworkEndsWithWhatCannotBeDestroyed) {
  const std::unique_ptr<Cleanup> cleanup = Begin(CleanupScope::kNetwork);
  while (!cleanup->waits_for_reaping()) EXPECT_FALSE(cleanup->GoOn().has_value());
  faults_.FailNext("DeleteGroup", absl::InternalError("EBUSY"));
  Reap();
  const absl::Status failed = cleanup->GoOn()->status();
  EXPECT_EQ(ReasonIn(failed), "BRIDGE_SETUP_FAILED");
  EXPECT_THAT(failed.message(), HasSubstr(absl::StrCat("removed ", kCount, " TAPs, but cannot")));
  EXPECT_THAT(failed.message(), HasSubstr("EBUSY"));
}

TEST_F(CleanupTest, OfANetworkEndsThoughTapsAreMadeAllTheTime) {
  const std::unique_ptr<Cleanup> cleanup = Begin(CleanupScope::kNetwork);
  std::optional<absl::StatusOr<CleanupResult>> end;
  int turns = 0;
  for (; !end.has_value() && turns < 1000; ++turns) {
    MustCreate(kBob, absl::StrCat("vm", turns));
    end = cleanup->GoOn();
  }
  EXPECT_LT(turns, 100);
  EXPECT_THAT(end->status().message(), HasSubstr("new ones are made all the time"));
}

TEST_F(CleanupTest, ThatMustEndDoesAllThatNeedsNoWaiting) {
  EXPECT_EQ(Begin(CleanupScope::kCaller)->Finish()->taps_removed, kCount);
  EXPECT_THAT(List(kRoot), IsEmpty());
  MustCreate(kBob, "vm1");
  const absl::Status refused =
      api().BeginCleanup(kRoot, {.scope = CleanupScope::kNetwork})->Finish().status();
  EXPECT_EQ(ReasonIn(refused), "BRIDGE_SETUP_FAILED");
  EXPECT_THAT(refused.message(), HasSubstr("(repeat it): svnetd ends"));
  EXPECT_THAT(List(kRoot), IsEmpty());
}

// What others retire, or what is destroyed at the same time, is no reason to wait for it.
TEST_F(CleanupTest, IsDestroyedWhileItGoesOn) {
  const auto cleanup = Begin(CleanupScope::kCaller);
  Reap();
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
  EXPECT_EQ(cleanup->Finish()->taps_removed, kCount);
}

}  // namespace
}  // namespace svnet
