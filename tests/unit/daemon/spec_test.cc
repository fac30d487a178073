// What a lease was granted beyond its alias: kept, read back, lost and found again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "daemon/base/spec_digest.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/spec_text.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr char kText[] = "svnet-spec 1\n# the first\n";
constexpr char kOther[] = "svnet-spec 1\n# the second\n";
// As a later version may write it.
constexpr char kUnknown[] = "svnet-spec 1\npolicy deny\n";

TEST(SpecTextTest, HasNothingThatThisVersionDoesNotKnow) {
  EXPECT_TRUE(ParseSpecText("svnet-spec 1\n").ok());
  EXPECT_TRUE(ParseSpecText(kText).ok());
  for (const char* text :
       {"", "\n", "svnet-spec 1", "svnet-spec 2\n", "svnet-spec 1 \n", "svnet-spec 1\n#",
        "svnet-spec 1\n\n", "svnet-spec 1\n #\n", "# svnet-spec 1\n", "svnet-spec 1\r\n"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSpecText(text).status())) << text;
  }
  EXPECT_THAT(std::string(ParseSpecText("svnet-spec 1\n#\npolicy a\n").status().message()),
              HasSubstr("line 3 is about \"policy\", which this version"));
  EXPECT_THAT(std::string(ParseSpecText("svnet-spec 1\n\xff\x1b[2J\n").status().message()),
              HasSubstr("\"\\xff\\x1b[2J\""));
}

TEST(SpecTextTest, SaysWhatViewItsGuestHas) {
  const LeaseGrants grants = {
      .view = GuestView::Parse("10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02").value()};
  const std::string text = "svnet-spec 1\nview 10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02\n";
  EXPECT_EQ(FormatSpecText(grants), text);
  EXPECT_EQ(ParseSpecText(text).value(), grants);
  EXPECT_EQ(FormatSpecText(LeaseGrants()), "");
  EXPECT_EQ(ParseSpecText(kText).value(), LeaseGrants());
  for (const std::string& wrong :
       {text + "view 10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02\n", text + "view\n",
        std::string("svnet-spec 1\nview 10.0.0.2\n"), std::string("svnet-spec 1\nview \n")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSpecText(wrong).status())) << wrong;
  }
}

class SpecTest : public NetworkRegistryTest {
 protected:
  static constexpr char kTap[] = "svvm1eth0";

  absl::StatusOr<Lease> CreateWith(const std::string& text, const std::string& vm = "vm1") {
    return api().CreateTap(
        kAlice, {.vm = Vm(vm), .iface = Iface("eth0"), .lifetime = {}, .spec_text = text});
  }
  absl::StatusOr<Lease> Update(const std::string& text) {
    return api().UpdateTap(kAlice, {.lease = ByIds("vm1"), .spec_text = text});
  }
  absl::StatusOr<Lease> UpdateLifetime() {
    return api().UpdateTap(
        kAlice, {.lease = ByIds("vm1"), .lifetime = UntilDetached{.grace = absl::Seconds(5)}});
  }
  // What a start finds.
  std::map<std::string, std::string>& texts() { return parts_.store.texts(); }
  std::vector<std::string> Texts() {
    std::vector<std::string> all;
    for (const auto& [digest, text] : texts()) all.push_back(text);
    return all;
  }
  bool IsCutOff(const std::string& tap = kTap) {
    return !firewall_.bindings().contains(kernel_.Find(tap)->ifindex);
  }
  std::string AliasOf(const std::string& tap = kTap) { return kernel_.Find(tap)->alias; }
};

TEST_F(SpecTest, NoTextIsNoFileAndNoDigest) {
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(texts(), IsEmpty());
  EXPECT_THAT(AliasOf(), Not(HasSubstr(" s=")));
  EXPECT_FALSE(IsCutOff());
}

TEST_F(SpecTest, ALeaseHasItsTextThroughARestart) {
  const absl::StatusOr<Lease> lease = CreateWith(kText);
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->spec.text_digest, SpecDigest(kText));
  EXPECT_THAT(AliasOf(), HasSubstr(" s=" + SpecDigest(kText)));
  EXPECT_THAT(Texts(), ElementsAre(kText));
  EXPECT_FALSE(IsCutOff());
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(List(kRoot), ElementsAre(*lease));
  EXPECT_THAT(Texts(), ElementsAre(kText));
  EXPECT_FALSE(IsCutOff());
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(SpecTest, EqualTextsAreOneThatGoesWithTheLastLease) {
  ASSERT_TRUE(CreateWith(kText).ok());
  ASSERT_TRUE(CreateWith(kText, "vm2").ok());
  EXPECT_THAT(Texts(), ElementsAre(kText));
  MustRemove(kAlice, ByIds("vm1"));
  EXPECT_THAT(Texts(), ElementsAre(kText));
  MustRemove(kAlice, ByIds("vm2"));
  EXPECT_THAT(Texts(), IsEmpty());
}

TEST_F(SpecTest, GoesWithATapThatAnotherProgramDeletes) {
  ASSERT_TRUE(CreateWith(kText).ok());
  kernel_.Delete(kTap);
  registry().HandleEvents();
  EXPECT_THAT(Texts(), IsEmpty());
}

TEST_F(SpecTest, GoesWithACleanup) {
  ASSERT_TRUE(CreateWith(kText).ok());
  ASSERT_TRUE(CreateWith(kOther, "vm2").ok());
  ASSERT_TRUE(CleanUp(kRoot, {.scope = CleanupScope::kNetwork}).ok());
  EXPECT_THAT(Texts(), IsEmpty());
}

TEST_F(SpecTest, ARepeatedRequestIsForTheSameTextOrForNone) {
  const Lease lease = CreateWith(kText).value();
  EXPECT_EQ(CreateWith(kText).value(), lease);
  EXPECT_EQ(CreateWith("").value(), lease);
  EXPECT_EQ(ReasonIn(CreateWith(kOther).status()), "LEASE_CONFLICT");
  EXPECT_THAT(Texts(), ElementsAre(kText));
}

TEST_F(SpecTest, AnUpdateReplacesIt) {
  ASSERT_TRUE(CreateWith(kText).ok());
  const absl::StatusOr<Lease> updated = Update(kOther);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->spec.text_digest, SpecDigest(kOther));
  EXPECT_EQ(updated->spec.generation, 2u);
  EXPECT_THAT(Texts(), ElementsAre(kOther));
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(List(kRoot), ElementsAre(*updated));
  ASSERT_TRUE(UpdateLifetime().ok());
  EXPECT_THAT(Texts(), ElementsAre(kOther)) << "what is not named stays";
  ASSERT_TRUE(Update("").ok());
  EXPECT_THAT(Texts(), IsEmpty());
  EXPECT_THAT(AliasOf(), Not(HasSubstr(" s=")));
}

TEST_F(SpecTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(ReasonIn(CreateWith(kUnknown).status()), "INVALID_REQUEST");
  EXPECT_THAT(List(kRoot), IsEmpty());
  MustCreate(kAlice, "vm1");
  EXPECT_EQ(ReasonIn(Update(kUnknown).status()), "INVALID_REQUEST");
  EXPECT_THAT(Texts(), IsEmpty());
}

TEST_F(SpecTest, WithoutRoomForTheTextNothingIsTouched) {
  MustCreate(kBob, "other");
  const std::string before = Picture();
  faults_.FailNext("WriteSpec", absl::ResourceExhaustedError("No space left on device"));
  const absl::Status refused = CreateWith(kText).status();
  EXPECT_EQ(ReasonIn(refused), "TAP_CREATE_FAILED");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("No space left on device"));
  EXPECT_EQ(Picture(), before);
  ASSERT_TRUE(CreateWith(kText).ok());
  const std::string created = Picture();
  faults_.FailNext("WriteSpec", absl::ResourceExhaustedError("No space left on device"));
  EXPECT_FALSE(Update(kOther).ok());
  EXPECT_EQ(Picture(), created);
  EXPECT_THAT(Texts(), ElementsAre(kText));
}

// Whatever fails, a text is there exactly if the lease that names it is.
TEST_F(SpecTest, ACreationThatFailsLeavesNoText) {
  ASSERT_TRUE(Start().ok());
  for (int count = 0; count < 100; ++count) {
    faults_.FailAfter(count);
    const bool created = CreateWith(kText).ok();
    faults_.Heal();
    registry().HandleEvents();
    ASSERT_EQ(Texts().size(), created ? 1u : 0u) << count;
    ASSERT_EQ(List(kRoot).size(), created ? 1u : 0u) << count;
    if (created) return;
  }
  FAIL() << "it never succeeds";
}

TEST_F(SpecTest, AnUpdateThatFailsLeavesTheOldText) {
  ASSERT_TRUE(CreateWith(kText).ok());
  for (int count = 0; count < 100; ++count) {
    faults_.FailAfter(count);
    const bool updated = Update(kOther).ok();
    faults_.Heal();
    registry().HandleEvents();
    EXPECT_THAT(AliasOf(), HasSubstr(" s=" + SpecDigest(updated ? kOther : kText)));
    EXPECT_FALSE(IsCutOff());
    // One that could not be deleted goes at the next start.
    EXPECT_THAT(Texts(), Contains(updated ? kOther : kText)) << count;
    if (updated) return;
    ASSERT_THAT(Texts(), ElementsAre(kText)) << count;
  }
  FAIL() << "it never succeeds";
}

// Of a text that is not what it was at a start, and why.
class LostSpecTest : public SpecTest {
 protected:
  void Lose() {
    const Lease lease = CreateWith(kText).value();
    EXPECT_TRUE(CreateWith(kOther, "vm2").ok());
    texts().erase(SpecDigest(kText));
    EXPECT_TRUE(Start().ok());
    EXPECT_EQ(List(kRoot).size(), 2u);
    log_.clear();
  }
};

TEST_F(LostSpecTest, CutsTheGuestOffAndSaysSo) {
  ASSERT_TRUE(CreateWith(kText).ok());
  ASSERT_TRUE(CreateWith(kOther, "vm2").ok());
  texts().erase(SpecDigest(kText));
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(IsCutOff());
  EXPECT_FALSE(IsCutOff("svvm2eth0"));
  const NetworkStatus status = api().GetNetwork(kRoot, {}).value();
  ASSERT_EQ(status.conditions.size(), 1u);
  EXPECT_EQ(status.conditions[0].type, "SPEC_LOST");
  EXPECT_THAT(status.conditions[0].message, HasSubstr("what 1 leases were granted"));
  EXPECT_THAT(status.conditions[0].message, HasSubstr("svvm1eth0"));
  EXPECT_THAT(status.conditions[0].for_all, Not(HasSubstr("svvm1eth0")));
  EXPECT_THAT(log_, ElementsAre(HasSubstr("the guest on svvm1eth0 is cut off")));
}

TEST_F(LostSpecTest, CutsTheGuestOffIfItWasAltered) {
  ASSERT_TRUE(CreateWith(kText).ok());
  texts()[SpecDigest(kText)] = "svnet-spec 1\n";
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(IsCutOff());
  EXPECT_THAT(Conditions(), ElementsAre("SPEC_LOST"));
}

TEST_F(LostSpecTest, CutsTheGuestOffIfALaterVersionGrantedWhatThisOneDoesNotKnow) {
  MustCreate(kAlice, "vm1");
  texts()[SpecDigest(kUnknown)] = kUnknown;
  kernel_.Find(kTap)->alias += " s=" + SpecDigest(kUnknown);
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(IsCutOff());
  EXPECT_THAT(Conditions(), ElementsAre("SPEC_LOST"));
  EXPECT_THAT(api().GetNetwork(kRoot, {})->conditions[0].message, HasSubstr("\"policy\""));
  EXPECT_THAT(Texts(), ElementsAre(kUnknown)) << "the later version finds it again";
}

TEST_F(LostSpecTest, CreateTapIsRefusedAndTheRestGoesOn) {
  Lose();
  EXPECT_EQ(ReasonIn(Create(kAlice, "vm1").status()), "SPEC_LOST");
  EXPECT_EQ(ReasonIn(CreateWith(kText).status()), "SPEC_LOST");
  EXPECT_TRUE(api().GetTap(kAlice, ByIds("vm1")).ok());
  EXPECT_TRUE(UpdateLifetime().ok());
  EXPECT_TRUE(IsCutOff());
  EXPECT_THAT(AliasOf(), HasSubstr(" s=" + SpecDigest(kText)));
  EXPECT_TRUE(MustRemove(kAlice, ByIds("vm1")));
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_TRUE(CreateWith(kText).ok());
  EXPECT_FALSE(IsCutOff());
}

TEST_F(LostSpecTest, NoRepairLetsTheGuestThrough) {
  Lose();
  firewall_.Flush();
  registry().HandleEvents();
  EXPECT_TRUE(IsCutOff());
  kernel_.Find(kTap)->up = false;
  registry().HandleEvents();
  EXPECT_TRUE(IsCutOff());
  // A removal that fails gives back what the guest had: nothing.
  faults_.FailNext("RetireTap", absl::InternalError("no"));
  EXPECT_FALSE(api().RemoveTap(kAlice, ByIds("vm1")).ok());
  EXPECT_TRUE(IsCutOff());
}

TEST_F(LostSpecTest, AnotherSpecHealsIt) {
  Lose();
  ASSERT_TRUE(Update(kOther).ok());
  EXPECT_FALSE(IsCutOff());
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_TRUE(Create(kAlice, "vm1").ok());
}

TEST_F(LostSpecTest, TheSameSpecAgainHealsAllThatHadIt) {
  ASSERT_TRUE(CreateWith(kText).ok());
  ASSERT_TRUE(CreateWith(kText, "vm2").ok());
  texts().clear();
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(IsCutOff());
  EXPECT_TRUE(IsCutOff("svvm2eth0"));
  ASSERT_TRUE(Update(kText).ok());
  EXPECT_FALSE(IsCutOff());
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_FALSE(IsCutOff("svvm2eth0"));
}

TEST_F(LostSpecTest, AnUpdateThatFailsLeavesItCutOff) {
  Lose();
  for (const char* step : {"WriteSpec", "Bind", "SetAlias"}) {
    faults_.FailNext(step, absl::InternalError("no"));
    EXPECT_FALSE(Update("svnet-spec 1\n").ok()) << step;
    registry().HandleEvents();
    EXPECT_TRUE(IsCutOff()) << step;
    EXPECT_THAT(Conditions(), ElementsAre("SPEC_LOST")) << step;
  }
}

TEST_F(LostSpecTest, TheFileThatComesBackHealsIt) {
  Lose();
  texts()[SpecDigest(kText)] = kText;
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_FALSE(IsCutOff());
  EXPECT_THAT(log_, ElementsAre("its spec was lost, and is there again"));
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_EQ(log_.size(), 1u);
}

TEST_F(SpecTest, AFileThatGoesWhileSvnetdRunsIsWrittenAgain) {
  ASSERT_TRUE(CreateWith(kText).ok());
  texts().clear();
  noted_.clear();
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_FALSE(IsCutOff());
  EXPECT_THAT(Texts(), ElementsAre(kText));
  EXPECT_THAT(noted_, ElementsAre(HasSubstr("svnetd has written it again")));
  texts()[SpecDigest(kText)] = "altered";
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_THAT(Texts(), ElementsAre(kText));
}

TEST_F(SpecTest, AFileThatCannotBeWrittenAgainTakesNothingFromTheGuest) {
  ASSERT_TRUE(CreateWith(kText).ok());
  texts().clear();
  faults_.FailNext("WriteSpec", absl::ResourceExhaustedError("No space left on device"));
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_FALSE(IsCutOff());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("cannot write it again (No space left on device)")));
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_THAT(Texts(), ElementsAre(kText));
}

TEST_F(SpecTest, AStartDeletesWhatNoTapNames) {
  ASSERT_TRUE(CreateWith(kText).ok());
  ASSERT_TRUE(CreateWith(kOther, "vm2").ok());
  texts()["AAAAAAAAAAAAAAA"] = "of nobody";
  // One that is left alone, because it is in the way of another lease, keeps its own.
  kernel_.Find("svvm2eth0")->alias.replace(0, 6, "svnet7");
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(Conditions(), ElementsAre("TAP_NOT_ADOPTED"));
  EXPECT_THAT(Texts(), UnorderedElementsAre(kText, kOther));
}

TEST_F(SpecTest, WhatCannotBeDeletedIsToldAndGoesAtTheNextStart) {
  ASSERT_TRUE(CreateWith(kText).ok());
  faults_.FailNext("DeleteSpec", absl::InternalError("no"));
  ASSERT_TRUE(api().RemoveTap(kAlice, ByIds("vm1")).ok());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("cannot delete a spec")));
  EXPECT_THAT(Texts(), ElementsAre(kText));
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(Texts(), IsEmpty());
}

TEST_F(SpecTest, AStoreThatCannotBeReadCutsOffOnlyWhatNeedsIt) {
  ASSERT_TRUE(CreateWith(kText).ok());
  MustCreate(kAlice, "vm2");
  faults_.FailNext("ReadSpec", absl::InternalError("Input/output error"));
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(IsCutOff());
  EXPECT_FALSE(IsCutOff("svvm2eth0"));
  EXPECT_THAT(Conditions(), IsEmpty()) << "the next look reads it";
  EXPECT_FALSE(IsCutOff());
}

}  // namespace
}  // namespace svnet
