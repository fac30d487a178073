// GetTap, UpdateTap, and what the other calls say of networks and of many leases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Lifetime kUntilDetached = UntilDetached{.grace = absl::Seconds(5)};

class UpdateTest : public NetworkRegistryTest {
 protected:
  absl::StatusOr<Lease> Update(const Caller& caller, const Lifetime& lifetime,
                               std::optional<uint64_t> if_generation = std::nullopt) {
    return api().UpdateTap(
        caller, {.lease = ByIds("vm1"), .lifetime = lifetime, .if_generation = if_generation});
  }
  Lease MustGet() { return api().GetTap(kAlice, ByIds("vm1")).value(); }
};

TEST_F(UpdateTest, GetTapShowsOwnersTheirOwnLeaseOnly) {
  const Lease lease = MustCreate(kAlice, "vm1");
  EXPECT_EQ(*api().GetTap(kAlice, ByIds("vm1")), lease);
  EXPECT_EQ(*api().GetTap(kAlice, lease.spec.tap), lease);
  EXPECT_EQ(*api().GetTap(kRoot, lease.spec.tap), lease);
  EXPECT_EQ(ReasonIn(api().GetTap(kBob, lease.spec.tap).status()), "TAP_NOT_FOUND");
  EXPECT_EQ(ReasonIn(api().GetTap(kBob, ByIds("vm1")).status()), "TAP_NOT_FOUND");
}

TEST_F(UpdateTest, ChangesTheLifetimeAndTheGeneration) {
  Lease expected = MustCreate(kAlice, "vm1");
  const absl::StatusOr<Lease> updated = Update(kAlice, kUntilDetached);
  ASSERT_TRUE(updated.ok()) << updated.status();
  expected.spec.lifetime = kUntilDetached;
  expected.spec.generation = 2;
  EXPECT_EQ(*updated, expected);
  EXPECT_EQ(MustGet(), expected);
  EXPECT_EQ(Update(kAlice, kUntilDetached)->spec.generation, 3u);
}

TEST_F(UpdateTest, ARestartFindsWhatWasUpdated) {
  MustCreate(kAlice, "vm1");
  ASSERT_TRUE(Update(kAlice, kUntilDetached).ok());
  const Lease before = MustGet();
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(MustGet(), before);
}

TEST_F(UpdateTest, IsNoDrift) {
  MustCreate(kAlice, "vm1");
  ASSERT_TRUE(Update(kAlice, kUntilDetached).ok());
  registry().HandleEvents();
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(UpdateTest, ASupervisorThatRestartsTakesItsLeaseOver) {
  kernel_.StartProcess(7, 1000, 555);
  ASSERT_TRUE(api()
                  .CreateTap(kAlice, {.vm = Vm("vm1"),
                                      .iface = Iface("eth0"),
                                      .lifetime = BoundToProcess{.pid = 7}})
                  .ok());
  kernel_.Attach("svvm1eth0");
  kernel_.EndProcess(7);
  kernel_.StartProcess(8, 1000, 666);
  ASSERT_TRUE(Update(kAlice, BoundToProcess{.pid = 8}).ok());
  kernel_.Detach("svvm1eth0");
  registry().HandleEvents();
  EXPECT_EQ(MustGet().spec.lifetime, Lifetime(BoundToProcess{.pid = 8, .start_time = 666}));
  kernel_.EndProcess(8);
  registry().HandleEvents();
  EXPECT_THAT(List(kRoot), IsEmpty());
}

TEST_F(UpdateTest, TheProcessOfBeforeNoLongerEndsIt) {
  kernel_.StartProcess(7, 1000, 555);
  MustCreate(kAlice, "vm1");
  ASSERT_TRUE(Update(kAlice, BoundToProcess{.pid = 7}).ok());
  ASSERT_TRUE(Update(kAlice, Persistent()).ok());
  kernel_.EndProcess(7);
  registry().HandleEvents();
  EXPECT_EQ(MustGet().spec.lifetime, Lifetime(Persistent()));
}

TEST_F(UpdateTest, IsRefusedForAGenerationThatTheLeaseDoesNotHave) {
  MustCreate(kAlice, "vm1");
  EXPECT_EQ(ReasonIn(Update(kAlice, kUntilDetached, 2).status()), "STALE_GENERATION");
  EXPECT_EQ(MustGet().spec.lifetime, Lifetime(Persistent()));
  EXPECT_TRUE(Update(kAlice, kUntilDetached, 1).ok());
  EXPECT_EQ(ReasonIn(Update(kAlice, Persistent(), 1).status()), "STALE_GENERATION");
  EXPECT_TRUE(Update(kAlice, Persistent(), 2).ok());
}

TEST_F(UpdateTest, IsRefusedForOthersLeasesAndProcesses) {
  MustCreate(kAlice, "vm1");
  kernel_.StartProcess(7, 1001, 555);
  EXPECT_EQ(ReasonIn(Update(kBob, kUntilDetached).status()), "TAP_NOT_FOUND");
  EXPECT_EQ(ReasonIn(Update(kAlice, BoundToProcess{.pid = 7}).status()), "INVALID_REQUEST");
  EXPECT_EQ(ReasonIn(Update(kAlice, BoundToProcess{.pid = 9}).status()), "INVALID_REQUEST");
  EXPECT_EQ(MustGet().spec.generation, 1u);
}

TEST_F(UpdateTest, AnErrorLeavesTheLeaseAsItWas) {
  kernel_.StartProcess(7, 1000, 555);
  MustCreate(kAlice, "vm1");
  ASSERT_TRUE(Update(kAlice, BoundToProcess{.pid = 7}).ok());
  const Lease before = MustGet();
  const std::string picture = Picture();
  faults_.FailNext("SetAlias", absl::InternalError("no"));
  EXPECT_EQ(ReasonIn(Update(kAlice, kUntilDetached).status()), "TAP_CREATE_FAILED");
  EXPECT_EQ(MustGet(), before);
  EXPECT_EQ(Picture(), picture);
  kernel_.EndProcess(7);
  registry().HandleEvents();
  EXPECT_THAT(List(kRoot), IsEmpty());
}

TEST_F(UpdateTest, FindsNoTapIfAnotherProgramHasJustDeletedIt) {
  MustCreate(kAlice, "vm1");
  faults_.FailNext("SetAlias", absl::NotFoundError("No such device"));
  EXPECT_EQ(ReasonIn(Update(kAlice, kUntilDetached).status()), "TAP_NOT_FOUND");
}

TEST_F(UpdateTest, WatchersSeeIt) {
  MustCreate(kAlice, "vm1");
  const std::shared_ptr<Watch> watch = api().WatchTaps(kAlice, {}, [] {}).value();
  std::vector<TapEvent::Type> types;
  std::vector<uint64_t> sequence;
  ASSERT_TRUE(Update(kAlice, kUntilDetached).ok());
  while (const auto event = watch->Take()) {
    types.push_back((*event)->type);
    sequence.push_back((*event)->sequence);
    EXPECT_NE((*event)->time, absl::InfinitePast());
  }
  EXPECT_THAT(types, ElementsAre(TapEvent::Type::kAdded, TapEvent::Type::kSnapshotEnd,
                                 TapEvent::Type::kUpdated));
  EXPECT_THAT(sequence, ElementsAre(1, 2, 3));
}

TEST_F(UpdateTest, ListTapsFindsTheLeasesOfOneVm) {
  MustCreate(kAlice, "vm1");
  const Lease wanted = MustCreate(kAlice, "vm2");
  MustCreate(kBob, "vm3");
  EXPECT_THAT(api().ListTaps(kAlice, {.limit = 9, .vm = Vm("vm2")})->leases, ElementsAre(wanted));
  EXPECT_THAT(api().ListTaps(kAlice, {.limit = 9, .vm = Vm("vm3")})->leases, IsEmpty());
}

TEST_F(UpdateTest, EveryCallRefusesANetworkThatDoesNotExist) {
  const NetworkName other = *NetworkName::Parse("other");
  MustCreate(kAlice, "vm1");
  const std::string before = Picture();
  now_ += absl::Seconds(1);
  EXPECT_EQ(
      ReasonIn(api()
                   .CreateTap(kAlice, {.network = other, .vm = Vm("vm2"), .iface = Iface("eth0")})
                   .status()),
      "NETWORK_NOT_FOUND");
  EXPECT_EQ(ReasonIn(api().GetNetwork(kAlice, other).status()), "NETWORK_NOT_FOUND");
  EXPECT_EQ(ReasonIn(api().ListTaps(kAlice, {.limit = 9, .network = other}).status()),
            "NETWORK_NOT_FOUND");
  EXPECT_EQ(ReasonIn(api().WatchTaps(kAlice, other, [] {}).status()), "NETWORK_NOT_FOUND");
  for (const CleanupScope scope : {CleanupScope::kCaller, CleanupScope::kNetwork}) {
    EXPECT_EQ(ReasonIn(CleanUp(kRoot, {.scope = scope, .network = other}).status()),
              "NETWORK_NOT_FOUND");
  }
  EXPECT_EQ(Picture(), before);
  // None of these took anything in: events are not left to such calls.
  EXPECT_LE(registry().TimeUntilIdle(), absl::ZeroDuration());
  MustCreate(kAlice, "vm2");
  EXPECT_GT(registry().TimeUntilIdle(), absl::ZeroDuration());
  EXPECT_THAT(api().ListNetworks(kAlice), ElementsAre(NetworkName()));
}

// The answer is still to be made then.
TEST_F(UpdateTest, EventsAreLeftToACallThatTakesLongUntilAfterItsEnd) {
  MustCreate(kAlice, "vm1");
  passes_ = absl::Milliseconds(2);
  MustCreate(kAlice, "vm2");
  passes_ = absl::ZeroDuration();
  EXPECT_GT(registry().TimeUntilIdle(), absl::ZeroDuration());
  now_ += absl::Milliseconds(2);
  EXPECT_LE(registry().TimeUntilIdle(), absl::ZeroDuration());
}

TEST_F(UpdateTest, TheNetworkSaysWhatTheCallerHas) {
  MustCreate(kAlice, "vm1");
  ASSERT_TRUE(api().CreateTap(kAlice, {.vm = Vm("vm2"), .iface = Iface("eth0"), .queues = 4}).ok());
  const Holdings alices = api().GetNetwork(kAlice, {})->held;
  EXPECT_EQ(alices.taps, 2u);
  EXPECT_EQ(alices.queues, 4u);
  EXPECT_EQ(api().GetNetwork(kBob, {})->held.taps, 0u);
}

TEST(NetworkNameTest, IsALowerCaseWordOfUpTo15Characters) {
  for (const char* name : {"a", "default", "net-2", "a12345678901234"}) {
    EXPECT_EQ(NetworkName::Parse(name)->text(), name);
  }
  for (const char* name :
       {"", "2net", "-a", "Net", "a_b", "a b", "a1234567890123456", "\xff", "*"}) {
    EXPECT_EQ(ReasonIn(NetworkName::Parse(name).status()), "NETWORK_NOT_FOUND") << name;
  }
}

}  // namespace
}  // namespace svnet
