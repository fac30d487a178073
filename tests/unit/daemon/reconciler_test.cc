// What svnetd does unasked: it takes in changes, repairs, reaps, and ends leases.
#include "daemon/network/reconciler.h"

#include <linux/rtnetlink.h>

#include <map>

#include "daemon/base/error.h"
#include "daemon/base/repair_limit.h"
#include "tests/unit/daemon/repair_fixture.h"

namespace svnet {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

class RepairTest : public RepairFixture {};

TEST_F(RepairTest, RepairsWhateverIsDoneToATap) {
  Tap()->name = "renamed";
  ExpectRepaired("it was renamed to renamed");
  Tap()->master = 0;
  ExpectRepaired("it was off the bridge");
  Tap()->up = false;
  ExpectRepaired("it was down");
  Tap()->mtu = 900;
  ExpectRepaired("it had MTU 900");
  Tap()->group = 0;
  ExpectRepaired("it was in link group 0");
  Tap()->alias = "";
  ExpectRepaired("it had another alias");
  Tap()->pinned = false;
  ExpectRepaired("its port had other settings");
}

TEST_F(RepairTest, RepairsWhateverIsDoneToTheNetwork) {
  firewall_.Flush();
  ExpectRepaired("the nftables rules were changed");
  kernel_.Find("svbr0")->up = false;
  ExpectRepaired("the bridge was down");
  kernel_.Find("svbr0")->mtu = 900;
  ExpectRepaired("the bridge had another MTU");
  kernel_.Find("svbr0")->mac = MacAddress({2, 0, 0, 0, 0x55, 1});
  ExpectRepaired("the bridge had another MAC");
  kernel_.Find("svbr0")->name = "renamed";
  ExpectRepaired("the bridge had another name");
  kernel_.TakeAddresses("svbr0");
  ExpectRepaired("the bridge had lost its address");
}

TEST_F(RepairTest, TurnsForwardingOnAgain) {
  kernel_.TurnForwardingOff();
  registry().HandleEvents();
  EXPECT_TRUE(*kernel_.IsForwarding());
  EXPECT_THAT(log_, ElementsAre("net.ipv4.ip_forward was 0"));
}

TEST_F(RepairTest, RestoresNeighboursThatWereDeleted) {
  kernel_.ForgetNeighbour(Ip("172.30.0.2"));
  registry().HandleEvents();
  EXPECT_EQ(Picture(), before_);
}

TEST_F(RepairTest, ABridgeThatIsDeletedIsMadeAgainWithAllItsPorts) {
  kernel_.Delete("svbr0");
  registry().HandleEvents();
  const Ifindex bridge = kernel_.Find("svbr0")->ifindex;
  EXPECT_EQ(Tap()->master, bridge);
  EXPECT_EQ(kernel_.Find("svvm2eth0")->master, bridge);
  EXPECT_THAT(*kernel_.ListNeighbours(bridge), SizeIs(2));
  EXPECT_THAT(log_, Contains(HasSubstr("the bridge was gone")));
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(RepairTest, ReadsEverythingWhenNotificationsWereLost) {
  Tap()->up = false;
  kernel_.Delete("svvm2eth0");
  kernel_.LoseChanges();
  registry().HandleEvents();
  EXPECT_TRUE(Tap()->up);
  EXPECT_THAT(List(kRoot), SizeIs(1));
}

TEST_F(RepairTest, ATapThatIsDeletedEndsItsLease) {
  kernel_.Delete("svvm1eth0");
  registry().HandleEvents();
  EXPECT_THAT(List(kAlice), IsEmpty());
  EXPECT_THAT(log_, ElementsAre("another program has deleted the TAP"));
  EXPECT_EQ(firewall_.bindings().size(), 1u);
  Reap();
  EXPECT_EQ(kernel_.TakeForgotten(), std::set<Ipv4Address>{Ip("172.30.0.2")});
}

TEST_F(RepairTest, WithoutLeasesThereIsNothingToRepair) {
  ASSERT_TRUE(MustRemove(kAlice, ByIds("vm1")));
  ASSERT_TRUE(MustRemove(kBob, ByIds("vm2")));
  kernel_.Delete("svbr0");
  firewall_.Flush();
  const std::string before = Picture();
  registry().HandleEvents();
  EXPECT_EQ(Picture(), before);
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(RepairTest, PausesRepairsThatAreUndoneAgainAndAgain) {
  for (int i = 0; i < 200; ++i) {
    Tap()->up = false;
    registry().HandleEvents();
  }
  EXPECT_FALSE(Tap()->up);
  EXPECT_THAT(Conditions(), ElementsAre("DEGRADED"));
  // Nothing else suffers.
  kernel_.Find("svvm2eth0")->up = false;
  registry().HandleEvents();
  EXPECT_TRUE(kernel_.Find("svvm2eth0")->up);
  now_ += RepairLimit::kPause;
  registry().HandleEvents();
  EXPECT_TRUE(Tap()->up);
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(RepairTest, ANewTapOfTheSameNameIsNotPaused) {
  for (int i = 0; i < 200; ++i) {
    Tap()->up = false;
    registry().HandleEvents();
  }
  ASSERT_THAT(Conditions(), ElementsAre("DEGRADED"));
  ASSERT_TRUE(MustRemove(kAlice, ByIds("vm1")));
  EXPECT_THAT(Conditions(), IsEmpty());
  Reap();
  MustCreate(kAlice, "vm1");
  Tap()->up = false;
  registry().HandleEvents();
  EXPECT_TRUE(Tap()->up);
}

TEST_F(RepairTest, ARepairThatFailsIsTriedAgainAndSaidOnce) {
  Tap()->up = false;
  log_.clear();
  for (int i = 0; i < 3; ++i) {
    faults_.FailNext("RepairTap", absl::InternalError("EPERM"));
    registry().HandleEvents();
    now_ += absl::Seconds(1);
  }
  EXPECT_FALSE(Tap()->up);
  EXPECT_THAT(log_, ElementsAre("cannot repair svvm1eth0 (it was down): EPERM"));
  registry().HandleEvents();
  EXPECT_TRUE(Tap()->up);
}

// It goes on, and says so once.
TEST_F(RepairTest, ReadsEverythingWhileNotificationsFail) {
  MustCreate(kAlice, "vm1");
  EXPECT_TRUE(registry().HandleEvents());
  Tap()->up = false;
  for (int i = 0; i < 2; ++i) {
    faults_.FailNext("TakeChanges", absl::InternalError("EBADF"));
    EXPECT_FALSE(registry().HandleEvents());
  }
  EXPECT_TRUE(Tap()->up);
  EXPECT_THAT(log_, Contains(HasSubstr("cannot hear what the kernel says")).Times(1));
  EXPECT_TRUE(registry().HandleEvents());
}

class ReapTest : public NetworkRegistryTest {
 protected:
  // Without the reaping that MustRemove does.
  void Retire(const std::string& vm) { ASSERT_TRUE(api().RemoveTap(kAlice, ByIds(vm)).ok()); }
};

TEST_F(ReapTest, ARemovedTapIsCutOffAndGivesUpItsNameToTheNext) {
  const Lease first = MustCreate(kAlice, "vm1");
  Retire("vm1");
  EXPECT_EQ(firewall_.bindings().size(), 0u);
  EXPECT_EQ(kernel_.Find("svvm1eth0")->group, RetiredGroupOf(DeriveLinkGroup(Name("svbr0"))));
  const Lease second = MustCreate(kAlice, "vm1");
  EXPECT_EQ(second.spec.tap, first.spec.tap);
  EXPECT_EQ(second.spec.mac, first.spec.mac);
  EXPECT_NE(second.spec.ip, first.spec.ip);
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 1u);
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_used, 1u);
  Reap();
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
  EXPECT_EQ(kernel_.Find(RetiredTapName(first.state.ifindex, 0).text()), nullptr);
  EXPECT_NE(kernel_.Find("svvm1eth0"), nullptr);
  EXPECT_EQ(kernel_.TakeForgotten(), std::set<Ipv4Address>{first.spec.ip});
}

// Somebody may have made another link of that ifindex meanwhile.
TEST_F(ReapTest, DoesNotDestroyALinkThatReusesTheNumberOfADeletedTap) {
  for (const bool retired_before : {false, true}) {
    const Lease lease = MustCreate(kAlice, "vm1");
    if (retired_before) Retire("vm1");
    kernel_.Delete("svvm1eth0");
    registry().HandleEvents();
    kernel_.AddLink({.ifindex = lease.state.ifindex, .name = "another"});
    Reap();
    EXPECT_NE(kernel_.Find("another"), nullptr);
    EXPECT_EQ(kernel_.TakeForgotten(), std::set<Ipv4Address>{lease.spec.ip});
    EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
    kernel_.Delete("another");
    registry().HandleEvents();
  }
}

TEST_F(ReapTest, ACleanupOfTheNetworkLeavesNothingToDestroy) {
  const Lease first = MustCreate(kAlice, "vm1");
  const Lease second = MustCreate(kAlice, "vm2");
  Retire("vm1");
  ASSERT_TRUE(CleanUp(kRoot, {.scope = CleanupScope::kNetwork}).ok());
  for (const Lease& lease : {first, second}) {
    kernel_.AddLink({.ifindex = lease.state.ifindex, .name = lease.spec.tap.text()});
  }
  Reap();
  EXPECT_NE(kernel_.Find(first.spec.tap.text()), nullptr);
  EXPECT_NE(kernel_.Find(second.spec.tap.text()), nullptr);
}

TEST_F(ReapTest, RenamesARetiredTapAlthoughItsNewNameIsTaken) {
  const Lease lease = MustCreate(kAlice, "vm1");
  kernel_.AddLink({.name = RetiredTapName(lease.state.ifindex, 0).text()});
  Retire("vm1");
  MustCreate(kAlice, "vm1");
  EXPECT_NE(kernel_.Find(RetiredTapName(lease.state.ifindex, 1).text()), nullptr);
}

TEST_F(ReapTest, ReapsWhatWasRetiredBeforeARestart) {
  const Lease lease = MustCreate(kAlice, "vm1");
  MustCreate(kAlice, "vm2");
  Retire("vm1");
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(List(kAlice), SizeIs(1));
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 1u);
  EXPECT_EQ(
      ReasonIn(api()
                   .CreateTap(kAlice, {.vm = Vm("a"), .iface = Iface("b"), .ip = lease.spec.ip})
                   .status()),
      "ADDRESS_IN_USE");
  Reap();
  EXPECT_EQ(kernel_.Find("svvm1eth0"), nullptr);
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
}

TEST_F(ReapTest, SparesAForeignLinkInTheLinkGroup) {
  // Whether it is there before, comes when TAPs are in that group, or was there when svnetd
  // started.
  const auto add_foreign = [&](const std::string& name) {
    kernel_.AddLink({.name = name, .group = RetiredGroupOf(DeriveLinkGroup(Name("svbr0")))});
  };
  const auto retire_two = [&] {
    for (const char* vm : {"vm1", "vm2"}) MustCreate(kAlice, vm);
    for (const char* vm : {"vm1", "vm2"}) Retire(vm);
  };
  const auto expect_spared = [&](const std::string& name) {
    Reap();
    EXPECT_NE(kernel_.Find(name), nullptr);
    EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
  };
  retire_two();
  add_foreign("late");
  expect_spared("late");
  ASSERT_TRUE(Start().ok());
  retire_two();
  expect_spared("late");
  add_foreign("early");
  retire_two();
  expect_spared("early");
}

// It is in another group: nothing that joins one while it is destroyed is taken for a member.
TEST_F(ReapTest, LeavesForTheNextPieceWhatIsRetiredMeanwhile) {
  for (const char* vm : {"vm1", "vm2", "vm3"}) MustCreate(kAlice, vm);
  Retire("vm1");
  Retire("vm2");
  const uint32_t group = DeriveLinkGroup(Name("svbr0"));
  faults_.BeforeNext("DeleteGroup", [&] {
    Retire("vm3");
    EXPECT_EQ(kernel_.Find("svvm3eth0")->group, RetiredGroupOf(group, 1));
  });
  faults_.FailNext("DeleteLink", absl::InternalError("EBUSY"));
  Reap();
  EXPECT_EQ(kernel_.Find("svvm1eth0"), nullptr);
  EXPECT_EQ(kernel_.Find("svvm2eth0"), nullptr);
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 1u);
  Reap();
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
  EXPECT_EQ(MustCreate(kAlice, "vm3").spec.tap, Name("svvm3eth0"));
}

class ManyReapTest : public ReapTest {
 protected:
  static constexpr int kCount = 200;

  void CreateAll() {
    for (int i = 0; i < kCount; ++i) MustCreate(kRoot, absl::StrCat("m", i));
  }
  void RetireAll() {
    for (int i = 0; i < kCount; ++i) {
      ASSERT_TRUE(api().RemoveTap(kRoot, ByIds(absl::StrCat("m", i))).ok());
    }
  }
  Link* Find(int i) { return kernel_.Find(absl::StrCat("svm", i, "eth0")); }
  // How many TAPs are in each link group.
  std::map<uint32_t, int> Groups() {
    std::map<uint32_t, int> groups;
    for (int i = 0; i < kCount; ++i) {
      if (const Link* link = Find(i)) ++groups[link->group - DeriveLinkGroup(Name("svbr0"))];
    }
    return groups;
  }
};

TEST_F(ManyReapTest, DestroysManyInPiecesOfWhichEachIsAGroup) {
  CreateAll();
  RetireAll();
  EXPECT_THAT(Groups(), ElementsAre(Pair(1, 80), Pair(2, 80), Pair(3, 40)));
  faults_.TakeCalls();
  Reap();
  EXPECT_THAT(faults_.TakeCalls(), Contains("DeleteGroup").Times(3));
  EXPECT_THAT(Groups(), IsEmpty());
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
}

// svnetd was killed when it had destroyed the first.
TEST_F(ManyReapTest, ARestartKnowsTheRetiredOfAllPieces) {
  CreateAll();
  const Lease kept = MustCreate(kAlice, "kept");
  RetireAll();
  faults_.FailAfter(6);  // the calls for a piece and before, and those before the next
  Reap();
  faults_.Heal();
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(List(kAlice), ElementsAre(kept));
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 120u);
  EXPECT_THAT(Groups(), ElementsAre(Pair(2, 80), Pair(3, 40)));
  faults_.TakeCalls();
  Reap();
  EXPECT_THAT(faults_.TakeCalls(), Contains("DeleteGroup").Times(2));
  EXPECT_THAT(Groups(), IsEmpty());
  EXPECT_NE(kernel_.Find("svkepteth0"), nullptr);
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
}

// The rules that an earlier svnetd left cut off only the first group.
TEST_F(ManyReapTest, UntilItsOwnRulesAreInForceThereIsOneGroup) {
  CreateAll();
  MustCreate(kAlice, "vm1");
  for (int i = 0; i < kCount; ++i) Find(i)->owner = 1001;  // not what was granted
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(Groups(), ElementsAre(Pair(1, kCount)));
  Retire("vm1");
  EXPECT_EQ(kernel_.Find("svvm1eth0")->group, RetiredGroupOf(DeriveLinkGroup(Name("svbr0")), 1));
  Reap();
  EXPECT_THAT(Groups(), IsEmpty());
}

TEST_F(ReapTest, RetriesAfterAFailure) {
  MustCreate(kAlice, "vm1");
  MustCreate(kAlice, "vm2");
  Retire("vm1");
  faults_.FailNext("DeleteLink", absl::InternalError("EBUSY"));
  Reap();
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 1u);
  EXPECT_THAT(log_, Contains(HasSubstr("cannot destroy TAPs: EBUSY")));
  Reap();
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
}

TEST_F(ReapTest, GivesUpForgettingFlowsAfterThreeAttempts) {
  MustCreate(kAlice, "vm1");
  Retire("vm1");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 1u);
    faults_.FailNext("ForgetFlows", absl::InternalError("EOPNOTSUPP"));
    Reap();
  }
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
  EXPECT_THAT(Conditions(), ElementsAre("FLOWS_NOT_FORGOTTEN"));
}

class SmallReapTest : public NetworkRegistryTest {
 protected:
  SmallReapTest() : NetworkRegistryTest("10.9.9.0/30") {}
};

TEST_F(SmallReapTest, AnEmptyPoolIsRetryableWhileATapIsRetired) {
  MustCreate(kAlice, "vm1");
  const absl::Status full = Create(kAlice, "vm2").status();
  EXPECT_FALSE(IsTransient(full));
  ASSERT_TRUE(api().RemoveTap(kAlice, ByIds("vm1")).ok());
  const absl::Status passing = Create(kAlice, "vm2").status();
  EXPECT_EQ(ReasonIn(passing), "ADDRESS_POOL_EXHAUSTED");
  EXPECT_TRUE(IsTransient(passing));
  Reap();
  EXPECT_EQ(MustCreate(kAlice, "vm2").spec.ip, Ip("10.9.9.2"));
}

class LifetimeTest : public NetworkRegistryTest {
 protected:
  absl::StatusOr<Lease> Create(const Caller& caller, const Lifetime& lifetime) {
    return api().CreateTap(caller, {.vm = Vm("vm1"), .iface = Iface("eth0"), .lifetime = lifetime});
  }
  bool Lives() {
    registry().HandleEvents();
    return !List(kRoot).empty();
  }
};

TEST_F(LifetimeTest, EndsWithItsProcess) {
  kernel_.StartProcess(7, 1000, 555);
  const Lease lease = *Create(kAlice, BoundToProcess{.pid = 7});
  EXPECT_EQ(std::get<BoundToProcess>(lease.spec.lifetime).start_time, 555u);
  EXPECT_TRUE(Create(kAlice, BoundToProcess{.pid = 7}).ok());  // the same
  EXPECT_EQ(ReasonIn(Create(kAlice, Persistent()).status()), "LEASE_CONFLICT");
  EXPECT_TRUE(Lives());
  kernel_.EndProcess(7);
  EXPECT_FALSE(Lives());
  EXPECT_THAT(log_, ElementsAre("its process has ended"));
}

TEST_F(LifetimeTest, ALeaseOfAProcessWaitsForAVmmThatOutlivesIt) {
  kernel_.StartProcess(7, 1000, 555);
  ASSERT_TRUE(Create(kAlice, BoundToProcess{.pid = 7}).ok());
  kernel_.Attach("svvm1eth0");
  kernel_.EndProcess(7);
  EXPECT_TRUE(Lives());
  kernel_.Detach("svvm1eth0");
  EXPECT_FALSE(Lives());
}

TEST_F(LifetimeTest, ALeaseOfAProcessOutlivesAVmmThatEndsBefore) {
  kernel_.StartProcess(7, 1000, 555);
  ASSERT_TRUE(Create(kAlice, BoundToProcess{.pid = 7}).ok());
  kernel_.Attach("svvm1eth0");
  EXPECT_TRUE(Lives());
  kernel_.Detach("svvm1eth0");
  EXPECT_TRUE(Lives());
}

TEST_F(LifetimeTest, IsOnlyBoundToOnesOwnProcess) {
  kernel_.StartProcess(7, 1001, 555);
  EXPECT_EQ(ReasonIn(Create(kAlice, BoundToProcess{.pid = 7}).status()), "INVALID_REQUEST");
  EXPECT_EQ(ReasonIn(Create(kAlice, BoundToProcess{.pid = 8}).status()), "INVALID_REQUEST");
  Caller contained = kBob;
  contained.shares_pids = false;
  EXPECT_EQ(ReasonIn(Create(contained, BoundToProcess{.pid = 7}).status()), "INVALID_REQUEST");
  EXPECT_THAT(List(kRoot), IsEmpty());
  EXPECT_TRUE(Create(kRoot, BoundToProcess{.pid = 7}).ok());
}

TEST_F(LifetimeTest, ARestartFindsTheSameProcessAndNotALaterOneOfItsNumber) {
  kernel_.StartProcess(7, 1000, 555);
  ASSERT_TRUE(Create(kAlice, BoundToProcess{.pid = 7}).ok());
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(Lives());
  registry_.reset();
  kernel_.EndProcess(7);
  kernel_.StartProcess(7, 1000, 556);
  ASSERT_TRUE(Start().ok());
  EXPECT_FALSE(Lives());
}

TEST_F(LifetimeTest, UntilDetachedBeginsWithTheFirstAttachAndHasAGraceTime) {
  ASSERT_TRUE(Create(kAlice, UntilDetached{.grace = absl::Seconds(5)}).ok());
  now_ += absl::Hours(9);
  EXPECT_TRUE(Lives());
  kernel_.Attach("svvm1eth0");
  EXPECT_TRUE(Lives());
  now_ += absl::Hours(9);
  EXPECT_TRUE(Lives());
  kernel_.Detach("svvm1eth0");
  EXPECT_TRUE(Lives());
  now_ += absl::Seconds(4);
  kernel_.Attach("svvm1eth0");
  EXPECT_TRUE(Lives());
  kernel_.Detach("svvm1eth0");
  EXPECT_TRUE(Lives());
  now_ += absl::Seconds(5) - absl::Milliseconds(1);
  EXPECT_TRUE(Lives());
  now_ += absl::Milliseconds(1);
  EXPECT_FALSE(Lives());
  EXPECT_THAT(log_, ElementsAre("its VMM has let go of the TAP"));
}

TEST_F(LifetimeTest, AVmmThatCameAndWentUnseenCounts) {
  ASSERT_TRUE(Create(kAlice, UntilDetached{.grace = absl::Seconds(5)}).ok());
  kernel_.Attach("svvm1eth0");
  kernel_.Detach("svvm1eth0");
  EXPECT_TRUE(Lives());
  now_ += absl::Seconds(5);
  EXPECT_FALSE(Lives());
}

TEST_F(LifetimeTest, ARestartKnowsThatItWasAttached) {
  ASSERT_TRUE(Create(kAlice, UntilDetached{.grace = absl::Seconds(5)}).ok());
  ASSERT_TRUE(Start().ok());
  now_ += absl::Hours(9);
  EXPECT_TRUE(Lives());
  kernel_.Attach("svvm1eth0");
  kernel_.Detach("svvm1eth0");
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(Lives());
  now_ += absl::Seconds(5);
  EXPECT_FALSE(Lives());
}

TEST_F(LifetimeTest, OneThatCannotBeEndedIsTriedAgain) {
  ASSERT_TRUE(Create(kAlice, UntilDetached{.grace = absl::ZeroDuration()}).ok());
  kernel_.Attach("svvm1eth0");
  kernel_.Detach("svvm1eth0");
  faults_.FailNext("RetireTap", absl::InternalError("EBUSY"));
  registry().HandleEvents();
  EXPECT_NE(kernel_.Find("svvm1eth0"), nullptr);
  EXPECT_EQ(firewall_.bindings().size(), 1u);
  now_ += absl::Seconds(1);
  EXPECT_FALSE(Lives());
}

TEST_F(LifetimeTest, TextIsExact) {
  for (const Lifetime& lifetime : std::vector<Lifetime>{
           Persistent(), BoundToProcess{.pid = 4711, .start_time = 18446744073709551615u},
           UntilDetached{.grace = absl::Milliseconds(3'600'000)},
           UntilDetached{.grace = absl::ZeroDuration()}}) {
    EXPECT_EQ(*ParseLifetime(FormatLifetime(lifetime)), lifetime);
  }
  for (const char* wrong : {"", "persistent:", "process:1", "process:0:1", "process:-1:1",
                            "process:1:1:1", "detached", "detached:-1", "detached:3600001"}) {
    EXPECT_FALSE(ParseLifetime(wrong).ok()) << wrong;
  }
}

class WatchTest : public NetworkRegistryTest {
 protected:
  std::shared_ptr<Watch> MustWatch(const Caller& caller) {
    auto watch = api().WatchTaps(caller, {}, [this] { ++wakes_; });
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *watch;
  }
  // What there is to take, in short.
  static std::string Take(Watch& watch) {
    constexpr const char* kNames[] = {"added", "removed", "attached", "detached", "repaired"};
    std::string text;
    while (const auto event = watch.Take()) {
      if (!event->ok()) return absl::StrCat(text, "end: ", ReasonIn(event->status()));
      if ((*event)->type == TapEvent::Type::kSnapshotEnd) continue;
      absl::StrAppend(&text, kNames[static_cast<int>((*event)->type)],
                      (*event)->lease.has_value() ? " " + (*event)->lease->spec.tap.text() : "",
                      "\n");
    }
    return text;
  }

  int wakes_ = 0;
};

TEST_F(WatchTest, BeginsWithASnapshotAndGoesOnInOrder) {
  MustCreate(kAlice, "vm1");
  const auto watch = MustWatch(kAlice);
  EXPECT_EQ(Take(*watch), "added svvm1eth0\n");
  MustCreate(kAlice, "vm2");
  kernel_.Attach("svvm1eth0");
  registry().HandleEvents();
  kernel_.Detach("svvm1eth0");
  registry().HandleEvents();
  kernel_.Find("svvm1eth0")->up = false;
  kernel_.Find("svbr0")->up = false;
  registry().HandleEvents();
  MustRemove(kAlice, ByIds("vm2"));
  EXPECT_EQ(wakes_, 1);  // once, until it is empty again
  EXPECT_EQ(Take(*watch),
            "added svvm2eth0\nattached svvm1eth0\ndetached svvm1eth0\nrepaired svvm1eth0\n"
            "repaired\nremoved svvm2eth0\n");
}

TEST_F(WatchTest, ShowsOwnersOnlyTheirOwnAndAdministratorsAll) {
  MustCreate(kAlice, "vm1");
  const auto bobs = MustWatch(kBob);
  const auto roots = MustWatch(kRoot);
  MustCreate(kBob, "vm2");
  EXPECT_EQ(Take(*bobs), "added svvm2eth0\n");
  EXPECT_EQ(Take(*roots), "added svvm1eth0\nadded svvm2eth0\n");
}

TEST_F(WatchTest, EndsAReaderThatIsTooSlow) {
  const auto slow = MustWatch(kAlice);
  for (size_t i = 0; i <= Watch::kMaxBehind / 2; ++i) {
    MustCreate(kAlice, "vm1");
    MustRemove(kAlice, ByIds("vm1"));
  }
  EXPECT_EQ(Take(*slow), "end: QUOTA_EXCEEDED");
  EXPECT_EQ(Take(*MustWatch(kAlice)), "");
}

TEST_F(WatchTest, IsLimitedForEachUid) {
  std::vector<std::shared_ptr<Watch>> watches;
  for (size_t i = 0; i < Quota::kOfStreams.of_one_uid; ++i) watches.push_back(MustWatch(kAlice));
  EXPECT_EQ(ReasonIn(api().WatchTaps(kAlice, {}, [] {}).status()), "QUOTA_EXCEEDED");
  MustWatch(kBob);
  watches.front()->Close();
  MustWatch(kAlice);
}

TEST_F(WatchTest, EndsWithSvnetd) {
  const auto watch = MustWatch(kAlice);
  EXPECT_EQ(Take(*watch), "");
  api().EndWatches(Error(Reason::kUnsupported, "over"));
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(Take(*watch), "end: UNSUPPORTED");
}

}  // namespace
}  // namespace svnet
