// What a hostile holder of a TAP does to it: it costs that lease, and nobody else.
#include "daemon/lease/tampering.h"

#include "absl/strings/match.h"
#include "daemon/base/error.h"
#include "daemon/base/repair_limit.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Change {
  std::string name;
  std::function<void(Link*)> make;
  std::string said;
};

std::vector<Change> AllChanges() {
  return {
      {"Owner", [](Link* tap) { tap->owner = 1001; }, "owner was changed to uid 1001"},
      {"NoOwner", [](Link* tap) { tap->owner.reset(); }, "owner was taken away"},
      {"Group", [](Link* tap) { tap->group_gid = 44; }, "group was changed to gid 44"},
      {"Persistence", [](Link* tap) { tap->persistent = false; }, "made to end with its holder"},
      {"LinkType", [](Link* tap) { tap->ethernet = false; }, "link type was changed"},
      {"Mac", [](Link* tap) { tap->mac = Mac("02:66:66:66:66:66"); }, "own MAC was changed"},
      {"Queues", [](Link* tap) { tap->open_queues = 3; }, "3 queues were opened, and 2 granted"},
  };
}

class TamperingTest : public NetworkRegistryTest {
 protected:
  Lease MustCreateWithQueues(const Caller& caller, const std::string& vm, int queues) {
    const auto lease =
        api().CreateTap(caller, {.vm = Vm(vm), .iface = Iface("eth0"), .queues = queues});
    EXPECT_TRUE(lease.ok()) << lease.status();
    return *lease;
  }
  // Any call has svnetd hear of it.
  void Hear() { List(kRoot); }
};

TEST_F(TamperingTest, EndsTheLeaseAtOnceAndSaysWhy) {
  for (const Change& change : AllChanges()) {
    MustCreate(kBob, "bobs");
    const Lease lease = MustCreateWithQueues(kAlice, "vm1", 2);
    const std::shared_ptr<Watch> watch = api().WatchTaps(kAlice, {}, [] {}).value();
    EXPECT_EQ(watch->Take().value()->type, TapEvent::Type::kAdded);
    EXPECT_EQ(watch->Take().value()->type, TapEvent::Type::kSnapshotEnd);
    change.make(kernel_.Find(lease.spec.tap.text()));
    EXPECT_THAT(List(kAlice), IsEmpty()) << change.name;
    EXPECT_EQ(List(kBob).size(), 1u) << change.name;
    // Cut off before the device is gone.
    EXPECT_THAT(firewall_.Dump(), Not(HasSubstr(lease.spec.mac.ToString()))) << change.name;
    EXPECT_EQ(kernel_.Find(lease.spec.tap.text())->group,
              RetiredGroupOf(DeriveLinkGroup(Name("svbr0"))));
    const TapEvent removed = watch->Take().value().value();
    EXPECT_EQ(removed.type, TapEvent::Type::kRemoved);
    EXPECT_THAT(removed.message, HasSubstr(change.said));
    EXPECT_THAT(log_, Contains(HasSubstr(change.said)));
    Reap();
    EXPECT_EQ(kernel_.Find(lease.spec.tap.text()), nullptr) << change.name;
  }
}

TEST_F(TamperingTest, BeforeAStartIsNotAdopted) {
  for (const Change& change : AllChanges()) {
    const Lease lease = MustCreateWithQueues(kAlice, "vm1", 2);
    registry_.reset();
    change.make(kernel_.Find(lease.spec.tap.text()));
    ASSERT_TRUE(Start().ok());
    EXPECT_THAT(List(kRoot), IsEmpty()) << change.name;
    EXPECT_THAT(firewall_.Dump(), Not(HasSubstr(lease.spec.mac.ToString()))) << change.name;
    EXPECT_THAT(log_, Contains(HasSubstr(change.said)));
    Reap();
    EXPECT_EQ(kernel_.Find(lease.spec.tap.text()), nullptr) << change.name;
    log_.clear();
  }
}

TEST_F(TamperingTest, IsFoundByReadingAnewIfItWasMissed) {
  for (const Change& change : AllChanges()) {
    const Lease lease = MustCreateWithQueues(kAlice, "vm1", 2);
    change.make(kernel_.Find(lease.spec.tap.text()));
    kernel_.LoseChanges();
    EXPECT_THAT(List(kAlice), IsEmpty()) << change.name;
    Reap();
  }
}

// Its address and its place in the quota come back when it is gone, and not before.
TEST_F(TamperingTest, CountsForWhoMadeItUntilItIsGone) {
  Caller alice = kAlice;
  alice.tap_limit = 1;
  const Lease lease = MustCreate(alice, "vm1");
  kernel_.Find(lease.spec.tap.text())->owner = kBob.uid;
  Hear();
  EXPECT_EQ(ReasonIn(Create(alice, "vm2").status()), "QUOTA_EXCEEDED");
  Caller bob = kBob;
  bob.tap_limit = 1;
  EXPECT_TRUE(Create(bob, "vm3").ok());
  Reap();
  EXPECT_TRUE(Create(alice, "vm2").ok());
}

TEST_F(TamperingTest, IsNoticedThoughItWasTakenBack) {
  const Lease victim = MustCreate(kBob, "victim");
  const Lease thief = MustCreate(kAlice, "thief");
  Hear();
  kernel_.SetOwnMac(thief.spec.tap.text(), victim.spec.mac);
  kernel_.SetOwnMac(thief.spec.tap.text(), kTapMac);
  Hear();
  EXPECT_THAT(List(kAlice), IsEmpty());
  // Only that undoes what it has done.
  EXPECT_THAT(kernel_.Dump(), HasSubstr("guest=" + victim.spec.mac.ToString()));
}

// A thief needs a new TAP for each attempt; the victim's repairs cost the victim nothing.
TEST_F(TamperingTest, WithAnothersMacNeverCostsTheOtherItsRepairs) {
  const Lease victim = MustCreate(kBob, "victim");
  for (int i = 0; i < 3 * static_cast<int>(RepairLimit::kBurst); ++i) {
    const Lease thief = MustCreate(kAlice, "thief");
    kernel_.SetOwnMac(thief.spec.tap.text(), victim.spec.mac);
    Hear();
    ASSERT_THAT(kernel_.Dump(), HasSubstr("guest=" + victim.spec.mac.ToString())) << i;
    // A TAP that is being removed can still be used for it.
    kernel_.SetOwnMac(thief.spec.tap.text(), Mac("02:66:66:66:66:66"));
    kernel_.SetOwnMac(thief.spec.tap.text(), victim.spec.mac);
    Hear();
    ASSERT_THAT(kernel_.Dump(), HasSubstr("guest=" + victim.spec.mac.ToString())) << i;
    Reap();
  }
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_EQ(List(kBob).size(), 1u);
}

TEST_F(TamperingTest, WithAnothersMacWhileSvnetdIsAwayIsRepairedAtItsStart) {
  const Lease victim = MustCreate(kBob, "victim");
  const Lease thief = MustCreate(kAlice, "thief");
  registry_.reset();
  kernel_.SetOwnMac(thief.spec.tap.text(), victim.spec.mac);
  kernel_.TakeChanges().IgnoreError();
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(kernel_.Dump(), HasSubstr("guest=" + victim.spec.mac.ToString()));
  EXPECT_THAT(List(kAlice), IsEmpty());
  EXPECT_EQ(List(kBob).size(), 1u);
}

TEST_F(TamperingTest, ThatWasTakenBackWhileSvnetdIsAwayIsRepairedAtItsStart) {
  const Lease victim = MustCreate(kBob, "victim");
  const Lease thief = MustCreate(kAlice, "thief");
  registry_.reset();
  kernel_.SetOwnMac(thief.spec.tap.text(), victim.spec.mac);
  kernel_.SetOwnMac(thief.spec.tap.text(), kTapMac);
  kernel_.TakeChanges().IgnoreError();
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(kernel_.Dump(), HasSubstr("guest=" + victim.spec.mac.ToString()));
  EXPECT_EQ(List(kRoot).size(), 2u);
}

TEST_F(TamperingTest, NoGuestGetsTheMacOfTaps) {
  const auto lease =
      api().CreateTap(kAlice, {.vm = Vm("vm1"), .iface = Iface("eth0"), .mac = kTapMac});
  EXPECT_EQ(ReasonIn(lease.status()), "ADDRESS_IN_USE");
}

TEST_F(TamperingTest, ACarrierThatIsTurnedOffEndsNoLease) {
  const auto created =
      api().CreateTap(kAlice, {.vm = Vm("vm1"),
                               .iface = Iface("eth0"),
                               .lifetime = UntilDetached{.grace = absl::Seconds(1)}});
  ASSERT_TRUE(created.ok());
  const std::string tap = created->spec.tap.text();
  kernel_.Attach(tap);
  Hear();
  kernel_.SetCarrier(tap, false);
  for (int i = 0; i < 10; ++i) {
    now_ += absl::Seconds(10);
    Hear();
    ASSERT_EQ(List(kAlice).size(), 1u);
  }
  // When it lets go, nothing says so: it is asked.
  kernel_.Detach(tap);
  now_ += absl::Seconds(10);
  Hear();
  EXPECT_THAT(List(kAlice), IsEmpty());
}

TEST_F(TamperingTest, ACarrierThatIsTurnedOffEndsNoLeaseOfManyQueues) {
  const auto created =
      api().CreateTap(kAlice, {.vm = Vm("vm1"),
                               .iface = Iface("eth0"),
                               .queues = 2,
                               .lifetime = UntilDetached{.grace = absl::Seconds(1)}});
  ASSERT_TRUE(created.ok());
  const std::string tap = created->spec.tap.text();
  kernel_.Attach(tap);
  Hear();
  kernel_.SetCarrier(tap, false);
  now_ += absl::Seconds(10);
  Hear();
  EXPECT_EQ(List(kAlice).size(), 1u);
  kernel_.Detach(tap);
  now_ += absl::Seconds(10);
  Hear();
  EXPECT_THAT(List(kAlice), IsEmpty());
}

// Before a multi-queue TAP has an owner, any process may open a queue of it.
TEST_F(TamperingTest, ATapThatAnotherProcessOpenedWhileItWasMadeIsNotLeased) {
  kernel_.RaceForNewTaps(2);
  const Lease lease = MustCreateWithQueues(kAlice, "vm1", 2);
  EXPECT_NE(lease.spec.tap, Name("svvm1eth0"));
  EXPECT_EQ(kernel_.Find(lease.spec.tap.text())->open_queues, 0u);
  EXPECT_EQ(kernel_.Find("svvm1eth0")->group, RetiredGroupOf(DeriveLinkGroup(Name("svbr0"))));
  Reap();
  EXPECT_EQ(kernel_.Find("svvm1eth0"), nullptr);
}

TEST_F(TamperingTest, ARacerWhoNeverLosesGetsNoLeaseOpened) {
  const std::string before = Picture();
  kernel_.RaceForNewTaps(1000);
  const auto lease =
      api().CreateTap(kAlice, {.vm = Vm("vm1"), .iface = Iface("eth0"), .queues = 2});
  EXPECT_EQ(ReasonIn(lease.status()), "TAP_CREATE_FAILED");
  EXPECT_THAT(lease.status().message(), HasSubstr("opened by another process"));
  Reap();
  EXPECT_EQ(Picture(), before);
}

TEST_F(TamperingTest, QueuesHaveAQuotaOfTheirOwn) {
  Caller alice = kAlice;
  alice.queue_limit = 4;
  const auto create = [&](const std::string& vm, int queues) {
    return api().CreateTap(alice, {.vm = Vm(vm), .iface = Iface("eth0"), .queues = queues});
  };
  EXPECT_TRUE(create("vm1", 3).ok());
  // One that is not multi-queue is only a TAP.
  EXPECT_TRUE(create("vm2", 1).ok());
  const auto refused = create("vm3", 2);
  EXPECT_EQ(ReasonIn(refused.status()), "QUOTA_EXCEEDED");
  EXPECT_THAT(refused.status().message(), HasSubstr("queues_per_user"));
  EXPECT_TRUE(create("vm3", 1).ok());
  // Asked for again, it is the same lease.
  EXPECT_TRUE(create("vm1", 3).ok());
  MustRemove(kAlice, ByIds("vm1"));
  EXPECT_TRUE(create("vm4", 2).ok());
}

}  // namespace
}  // namespace svnet
