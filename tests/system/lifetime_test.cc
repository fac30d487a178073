// Leases that end by themselves, and those who watch: with real processes and VMMs.
#include <signal.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/system/kernel_count.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"
#include "tests/system/user_process.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;

class LifetimeTest : public OnEachKind<SystemTest> {
 protected:
  static v1::CreateTapRequest Request() {
    v1::CreateTapRequest request;
    request.set_vm_id("vm1");
    request.set_iface_id("eth0");
    return request;
  }
  static v1::CreateTapRequest BoundTo(pid_t pid) {
    v1::CreateTapRequest request = Request();
    request.mutable_lifetime()->mutable_process()->set_pid(pid);
    return request;
  }
  static v1::CreateTapRequest UntilDetached(int grace_milliseconds) {
    v1::CreateTapRequest request = Request();
    request.mutable_lifetime()->mutable_until_detached()->mutable_grace()->set_nanos(
        grace_milliseconds * 1'000'000);
    return request;
  }
  static v1::Tap MustCreate(Client& client, const v1::CreateTapRequest& request) {
    const Client::Answer answer = client.Create(request);
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    return answer.tap;
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, LifetimeTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(LifetimeTest, ALeaseOfAProcessEndsWithIt) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Watcher watcher(alice);
  UserProcess supervisor(kAlice);
  const v1::Tap tap = MustCreate(alice, BoundTo(supervisor.pid()));
  EXPECT_EQ(tap.lifetime().process().pid(), supervisor.pid());
  EXPECT_EQ(alice.Create(BoundTo(supervisor.pid())).tap.guest_ip(), tap.guest_ip());
  supervisor.End();
  EXPECT_THAT(watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, "svvm1eth0").message(),
              HasSubstr("its process has ended"));
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(0));
}

TEST_P(LifetimeTest, AVmmThatOutlivesItsSupervisorIsNotCutOff) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Watcher watcher(alice);
  UserProcess supervisor(kAlice);
  const v1::Tap tap = MustCreate(alice, BoundTo(supervisor.pid()));
  auto vmm = std::make_unique<TapGuest>(tap);
  watcher.WaitFor(v1::TAP_EVENT_TYPE_ATTACHED, "svvm1eth0");
  supervisor.End();
  EXPECT_TRUE(vmm->Pings(vmm->gateway()));
  EXPECT_EQ(alice.MustList().size(), 1u);
  vmm.reset();
  EXPECT_EQ(watcher.WaitFor(v1::TAP_EVENT_TYPE_DETACHED).tap().tap_name(), "svvm1eth0");
  watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, "svvm1eth0");
}

TEST_P(LifetimeTest, ALeaseOfAProcessThatEndsWhileSvnetdIsAwayEndsAtTheNextStart) {
  UserProcess supervisor(kAlice);
  UserProcess other(kAlice);
  {
    Daemon svnetd = Start();
    Client alice(svnetd.socket(), Member(kAlice));
    MustCreate(alice, BoundTo(supervisor.pid()));
    v1::CreateTapRequest request = BoundTo(other.pid());
    request.set_vm_id("vm2");
    MustCreate(alice, request);
    svnetd.Stop(SIGKILL);
  }
  supervisor.End();
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  ASSERT_EQ(alice.MustList().size(), 1u);
  EXPECT_EQ(alice.MustList()[0].vm_id(), "vm2");
  Watcher watcher(alice);
  other.End();
  watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, "svvm2eth0");
}

TEST_P(LifetimeTest, IsBoundOnlyToAProcessOfOnesOwnThatIsThere) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const UserProcess bobs(kBob);
  const grpc::Status others = alice.Create(BoundTo(bobs.pid())).status;
  EXPECT_EQ(ReasonOf(others), "INVALID_REQUEST");
  EXPECT_THAT(others.error_message(), HasSubstr("another user's"));
  EXPECT_EQ(ReasonOf(alice.Create(BoundTo(1)).status), "INVALID_REQUEST");
  EXPECT_EQ(ReasonOf(alice.Create(BoundTo(4'194'304)).status), "INVALID_REQUEST");
  EXPECT_EQ(CountKernel(), CountOfLeases(0));
}

TEST_P(LifetimeTest, UntilDetachedEndsAfterItsGraceTime) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Watcher watcher(alice);
  const v1::Tap tap = MustCreate(alice, UntilDetached(100));
  EXPECT_EQ(tap.lifetime().until_detached().grace().nanos(), 100'000'000);
  {
    const TapGuest vmm(tap);
    watcher.WaitFor(v1::TAP_EVENT_TYPE_ATTACHED, "svvm1eth0");
  }
  EXPECT_THAT(watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, "svvm1eth0").message(),
              HasSubstr("let go"));
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(0));
}

TEST_P(LifetimeTest, UntilDetachedIsKnownAfterAKill) {
  {
    Daemon svnetd = Start();
    Client alice(svnetd.socket(), Member(kAlice));
    const TapGuest vmm(MustCreate(alice, UntilDetached(0)));
    v1::CreateTapRequest request = UntilDetached(0);
    request.set_vm_id("vm2");  // never opened
    MustCreate(alice, request);
    svnetd.Stop(SIGKILL);
  }
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Watcher watcher(alice);
  while (alice.MustList().size() > 1) watcher.Next();
  EXPECT_EQ(alice.MustList()[0].vm_id(), "vm2");
}

TEST_P(LifetimeTest, ASupervisorThatHasRestartedTakesItsLeaseOver) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Watcher watcher(alice);
  auto first = std::make_unique<UserProcess>(kAlice);
  UserProcess second(kAlice);
  const v1::Tap tap = MustCreate(alice, BoundTo(first->pid()));
  auto vmm = std::make_unique<TapGuest>(tap);
  watcher.WaitFor(v1::TAP_EVENT_TYPE_ATTACHED, "svvm1eth0");
  first->End();
  v1::UpdateTapRequest request;
  request.set_tap_name(tap.tap_name());
  request.mutable_tap()->mutable_lifetime()->mutable_process()->set_pid(second.pid());
  request.mutable_update_mask()->add_paths("lifetime");
  request.set_if_generation(tap.generation());
  v1::Tap updated = alice.MustUpdate(request);
  EXPECT_EQ(updated.generation(), tap.generation() + 1);
  EXPECT_EQ(watcher.WaitFor(v1::TAP_EVENT_TYPE_UPDATED, "svvm1eth0").tap().generation(), 2u);
  EXPECT_TRUE(vmm->Pings(vmm->gateway()));
  vmm.reset();
  watcher.WaitFor(v1::TAP_EVENT_TYPE_DETACHED, "svvm1eth0");
  svnetd.Stop(SIGKILL);
  Daemon next = Start();
  Client again(next.socket(), Member(kAlice));
  const v1::Tap adopted = again.MustGet(tap.tap_name());
  updated.set_attached(false);  // the VMM is gone
  EXPECT_EQ(adopted.SerializeAsString(), updated.SerializeAsString());
  Watcher next_watcher(again);
  second.End();
  next_watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, "svvm1eth0");
}

class WatchTest : public SystemTest {};

TEST_F(WatchTest, SaysWhereTheSnapshotEndsWhenAndInWhichOrder) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  const absl::Time before = absl::Now();
  Watcher watcher(alice);
  EXPECT_EQ(watcher.WaitFor(v1::TAP_EVENT_TYPE_ADDED).sequence(), 1u);
  EXPECT_EQ(watcher.WaitFor(v1::TAP_EVENT_TYPE_SNAPSHOT_END).sequence(), 2u);
  alice.MustCreate("vm2");
  const v1::TapEvent added = watcher.Next();
  EXPECT_EQ(added.sequence(), 3u);
  const absl::Time time =
      absl::FromUnixSeconds(added.time().seconds()) + absl::Nanoseconds(added.time().nanos());
  EXPECT_GE(time, before);
  EXPECT_LE(time, absl::Now());
}

TEST_F(WatchTest, TellsInOrderWhatHappensToOnesOwn) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Client bob(svnetd.socket(), Member(kBob));
  alice.MustCreate("vm1");
  Watcher watcher(alice);
  EXPECT_EQ(watcher.Next().tap().tap_name(), "svvm1eth0");
  bob.MustCreate("vm7");
  alice.MustCreate("vm2");
  alice.MustRemove("svvm1eth0");
  const v1::TapEvent added = watcher.Next();
  EXPECT_EQ(added.type(), v1::TAP_EVENT_TYPE_ADDED);
  EXPECT_EQ(added.tap().tap_name(), "svvm2eth0");
  EXPECT_EQ(added.tap().guest_ip(), "172.30.0.4");
  const v1::TapEvent removed = watcher.Next();
  EXPECT_EQ(removed.type(), v1::TAP_EVENT_TYPE_REMOVED);
  EXPECT_EQ(removed.tap().tap_name(), "svvm1eth0");
}

TEST_F(WatchTest, EndsWithSvnetdSayingSo) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  Watcher watcher(alice);
  alice.MustCreate("vm1");
  watcher.WaitFor(v1::TAP_EVENT_TYPE_ADDED);
  kill(svnetd.pid(), SIGTERM);
  EXPECT_EQ(watcher.Next().type(), v1::TAP_EVENT_TYPE_UNSPECIFIED);
  // In svnetd's words, or, if gRPC's client happens to write first, in gRPC's own.
  EXPECT_EQ(watcher.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(svnetd.Stop(0), 0);
}

TEST_F(WatchTest, ReadersThatStopOrVanishDelayNobody) {
  Daemon svnetd = Start({}, "[limits]\ntaps_per_user = 1000\n");
  Client alice(svnetd.socket(), Member(kAlice));
  {
    // None of these reads.
    std::vector<std::unique_ptr<Client>> clients;
    std::vector<std::unique_ptr<Watcher>> idle;
    for (int i = 0; i < 16; ++i) {
      clients.push_back(std::make_unique<Client>(svnetd.socket(), Member(kAlice)));
      idle.push_back(std::make_unique<Watcher>(*clients.back()));
      idle.back()->WaitFor(v1::TAP_EVENT_TYPE_ADDED,
                           alice.MustCreate(absl::StrCat("a", i)).tap_name());
    }
    Client one_more(svnetd.socket(), Member(kAlice));
    Watcher refused(one_more);
    EXPECT_EQ(refused.Next().type(), v1::TAP_EVENT_TYPE_UNSPECIFIED);
    EXPECT_EQ(ReasonOf(refused.Finish()), "QUOTA_EXCEEDED");
    for (int i = 0; i < 200; ++i) {
      alice.MustCreate("vm1");
      alice.MustRemove("svvm1eth0");
    }
  }
  // Their places are free again, as soon as svnetd has noticed.
  EXPECT_TRUE(Eventually([&] { return Watcher(alice).Next().type() == v1::TAP_EVENT_TYPE_ADDED; }));
}

}  // namespace
}  // namespace svnet::testing
