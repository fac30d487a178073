// Which leases end by themselves, and when.
#include "daemon/network/expiry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/network/event_poller.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using testing::Iface;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Mac;
using testing::Name;
using testing::ReasonIn;
using testing::Vm;

const Caller kUser = {.uid = 1000, .gid = 1000, .shares_pids = true};
constexpr Ifindex kTap = 7;

class ExpiryTest : public ::testing::Test {
 protected:
  static Lease LeaseWith(const Lifetime& lifetime) {
    return {.spec = {.key = {.owner = 1000, .vm = Vm("vm1"), .iface = Iface("eth0")},
                     .tap = Name("svvm1eth0"),
                     .ip = Ip("10.0.0.2"),
                     .mac = Mac("02:00:00:00:00:01"),
                     .lifetime = lifetime},
            .state = {.ifindex = kTap}};
  }
  void AddBound() {
    kernel_.StartProcess(4711, 1000, 555);
    const Lifetime lifetime = BoundToProcess{.pid = 4711, .start_time = 555};
    expiry_.Add(LeaseWith(lifetime), *expiry_.OpenProcessFor(kUser, lifetime), now_);
  }
  void EndProcess() {
    kernel_.EndProcess(4711);
    expiry_.NoteEnded(poller_.PollNow(), now_);
  }

  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  testing::Faults faults_;
  testing::FakeKernel kernel_{&faults_};
  EventPoller poller_ = *EventPoller::Create();
  Expiry expiry_{&kernel_, &poller_};
};

TEST_F(ExpiryTest, APersistentLeaseIsNeverDue) {
  expiry_.Add(LeaseWith(Persistent()), Process(), now_);
  EXPECT_EQ(expiry_.NextDue(), std::nullopt);
}

TEST_F(ExpiryTest, ABoundLeaseIsDueWhenItsProcessHasEnded) {
  AddBound();
  EXPECT_THAT(poller_.PollNow(), IsEmpty());
  EXPECT_EQ(expiry_.NextDue(), std::nullopt);
  EndProcess();
  EXPECT_THAT(expiry_.Due(now_), ElementsAre(kTap));
  EXPECT_THAT(poller_.PollNow(), IsEmpty());  // it is no longer watched
}

TEST_F(ExpiryTest, ABoundLeaseWaitsForAVmmThatIsAttached) {
  AddBound();
  expiry_.SetAttached(kTap, true, now_);
  EndProcess();
  EXPECT_THAT(expiry_.Due(now_), IsEmpty());
  expiry_.SetAttached(kTap, false, now_);
  EXPECT_THAT(expiry_.Due(now_), ElementsAre(kTap));
}

TEST_F(ExpiryTest, ALeaseUntilDetachedWaitsForAnAttachAndThenForItsGrace) {
  const absl::Duration grace = absl::Seconds(5);
  expiry_.Add(LeaseWith(UntilDetached{.grace = grace}), Process(), now_);
  EXPECT_EQ(expiry_.NextDue(), std::nullopt);
  expiry_.SetAttached(kTap, true, now_);
  EXPECT_EQ(expiry_.NextDue(), std::nullopt);
  expiry_.SetAttached(kTap, false, now_);
  EXPECT_EQ(expiry_.NextDue(), now_ + grace);
  EXPECT_THAT(expiry_.Due(now_ + grace - absl::Milliseconds(1)), IsEmpty());
  EXPECT_THAT(expiry_.Due(now_ + grace), ElementsAre(kTap));
}

TEST_F(ExpiryTest, PutOffDelaysWhatIsDue) {
  AddBound();
  EndProcess();
  expiry_.PutOff(kTap, now_ + absl::Seconds(5));
  EXPECT_THAT(expiry_.Due(now_), IsEmpty());
  EXPECT_EQ(expiry_.NextDue(), now_ + absl::Seconds(5));
}

TEST_F(ExpiryTest, RemoveForgetsTheLeaseAndItsProcess) {
  AddBound();
  expiry_.Remove(kTap);
  EndProcess();
  EXPECT_THAT(expiry_.Due(now_), IsEmpty());
  expiry_.Remove(kTap);
}

TEST_F(ExpiryTest, AdoptFindsTheProcessUnlessItsNumberWasReused) {
  kernel_.StartProcess(4711, 1000, 555);
  expiry_.Adopt(LeaseWith(BoundToProcess{.pid = 4711, .start_time = 555}), now_);
  EXPECT_THAT(expiry_.Due(now_), IsEmpty());
  expiry_.Adopt(LeaseWith(BoundToProcess{.pid = 4711, .start_time = 554}), now_);
  EXPECT_THAT(expiry_.Due(now_), ElementsAre(kTap));
}

TEST_F(ExpiryTest, OnlyAProcessOfTheCallersOwnCanBeBoundTo) {
  kernel_.StartProcess(4711, 1001, 555);
  const Lifetime lifetime = BoundToProcess{.pid = 4711};
  EXPECT_EQ(ReasonIn(expiry_.OpenProcessFor(kUser, lifetime).status()), "INVALID_REQUEST");
  Caller root = kUser;
  root.administrator = true;
  EXPECT_TRUE(expiry_.OpenProcessFor(root, lifetime).ok());
  root.shares_pids = false;
  EXPECT_EQ(ReasonIn(expiry_.OpenProcessFor(root, lifetime).status()), "INVALID_REQUEST");
}

TEST_F(ExpiryTest, OpenQueuesSayWhetherAMultiQueueTapIsHeld) {
  UniqueFd hold;
  Link link = {.ifindex = kTap, .open_queues = 1};
  EXPECT_TRUE(*expiry_.IsHeld(LeaseWith(Persistent()), link, &hold));
  link.open_queues = 0;
  EXPECT_FALSE(*expiry_.IsHeld(LeaseWith(Persistent()), link, &hold));
}

}  // namespace
}  // namespace svnet
