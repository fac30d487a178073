// Who may call, how much, and in which turn.
#include "daemon/rpc/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "daemon/rpc/call_log.h"
#include "daemon/rpc/call_queue.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReasonIn;

constexpr gid_t kSocketGroup = 988;
constexpr gid_t kKvm = 105;
constexpr gid_t kOps = 27;

Caller Peer(uid_t uid, std::vector<gid_t> groups = {}) {
  return {.uid = uid, .gid = uid, .groups = std::move(groups)};
}

AdmissionRules Rules() { return {.socket_group = kSocketGroup}; }

bool IsAdmitted(const Caller& peer, const AdmissionRules& rules) {
  return Admit(peer, rules).verdict.ok();
}

TEST(AdmissionTest, ByDefaultTheSocketsGroupAndRoot) {
  EXPECT_TRUE(IsAdmitted(Peer(1000, {kSocketGroup}), Rules()));
  EXPECT_TRUE(IsAdmitted(Peer(0), Rules()));
  EXPECT_TRUE(IsAdmitted({.uid = 1000, .gid = kSocketGroup}, Rules()));
  EXPECT_FALSE(IsAdmitted(Peer(1000, {kKvm}), Rules()));
  EXPECT_FALSE(IsAdmitted(Peer(1000), {}));
  EXPECT_TRUE(IsAdmitted(Peer(0), {}));
  EXPECT_FALSE(Rules().ReachBeyondSocketGroup());
}

TEST(AdmissionTest, TheRefusalNamesTheUidAndTheSetting) {
  const absl::Status verdict = Admit(Peer(1234), Rules()).verdict;
  EXPECT_EQ(ReasonIn(verdict), "PERMISSION_DENIED");
  EXPECT_THAT(std::string(verdict.message()), HasSubstr("uid 1234"));
  EXPECT_THAT(std::string(verdict.message()), HasSubstr("allow_users"));
}

TEST(AdmissionTest, UsersAndGroupsBesides) {
  AdmissionRules rules = Rules();
  rules.users = {1000};
  rules.groups = {kKvm};
  EXPECT_TRUE(rules.ReachBeyondSocketGroup());
  EXPECT_TRUE(IsAdmitted(Peer(1000), rules));
  EXPECT_TRUE(IsAdmitted(Peer(1001, {kKvm}), rules));
  EXPECT_TRUE(IsAdmitted(Peer(1002, {kSocketGroup}), rules));
  EXPECT_FALSE(IsAdmitted(Peer(1001), rules));
  rules.everybody = true;
  EXPECT_TRUE(IsAdmitted(Peer(1001), rules));
}

TEST(AdmissionTest, AdministratorsAreRootAndTheirGroups) {
  AdmissionRules rules = Rules();
  rules.admin_groups = {kOps};
  EXPECT_TRUE(Admit(Peer(0), rules).caller.administrator);
  EXPECT_TRUE(Admit(Peer(1000, {kOps}), rules).caller.administrator);
  EXPECT_TRUE(IsAdmitted(Peer(1000, {kOps}), rules));
  EXPECT_FALSE(Admit(Peer(1000, {kSocketGroup}), rules).caller.administrator);
  // Nobody special.
  EXPECT_FALSE(Admit(Peer(65534), rules).caller.administrator);
  EXPECT_FALSE(IsAdmitted(Peer(65534), rules));
  EXPECT_FALSE(Admit(Peer(4294967294), rules).caller.administrator);
}

TEST(AdmissionTest, LimitsOfTheUserThenOfTheMostGenerousGroup) {
  AdmissionRules rules = Rules();
  rules.limits = {.taps = 10, .queues = 12, .connections = 11};
  rules.user_limits[1000] = {.taps = 1, .queues = 4, .connections = 2};
  rules.group_limits[kKvm] = {.taps = 500, .queues = 5, .connections = 3};
  rules.group_limits[kOps] = {.taps = 50, .queues = 60, .connections = 300};
  const auto limits = [&](const Caller& peer) {
    const Admission admission = Admit(peer, rules);
    return std::vector<uint32_t>{admission.caller.tap_limit, admission.caller.queue_limit,
                                 admission.connection_limit};
  };
  EXPECT_THAT(limits(Peer(1001)), ElementsAre(10u, 12u, 11u));
  EXPECT_THAT(limits(Peer(1000, {kOps, kKvm})), ElementsAre(1u, 4u, 2u));
  EXPECT_THAT(limits(Peer(1001, {kKvm})), ElementsAre(500u, 5u, 3u));
  EXPECT_THAT(limits(Peer(1001, {kOps, kKvm})), ElementsAre(500u, 60u, 300u));
  EXPECT_THAT(limits(Peer(0)), ElementsAre(UINT32_MAX, UINT32_MAX, UINT32_MAX));
}

TEST(RefusalLimitTest, LeavesOutWhatIsTooMuchAndSaysHowMuchThatWas) {
  RefusalLimit limit;
  absl::Time now = absl::FromUnixSeconds(1'000'000);
  uint64_t left_out = 0;
  for (int i = 0; i < RefusalLimit::kBurst; ++i) ASSERT_TRUE(limit.Allow(now, &left_out));
  EXPECT_EQ(left_out, 0u);
  for (int i = 0; i < 500; ++i) ASSERT_FALSE(limit.Allow(now, &left_out));
  now += absl::Milliseconds(150);
  EXPECT_TRUE(limit.Allow(now, &left_out));
  EXPECT_EQ(left_out, 500u);
  EXPECT_FALSE(limit.Allow(now, &left_out));
  now += absl::Hours(1);
  for (int i = 0; i < RefusalLimit::kBurst; ++i) ASSERT_TRUE(limit.Allow(now, &left_out));
  EXPECT_FALSE(limit.Allow(now, &left_out));
  // A clock that is set back gives nothing, and breaks nothing.
  EXPECT_FALSE(limit.Allow(now - absl::Hours(2), &left_out));
}

// A queue whose thread waits inside a first call of uid 0 until Open.
class CallQueueTest : public ::testing::Test {
 protected:
  CallQueueTest() {
    absl::Notification entered;
    Submit(0, [&] {
      entered.Notify();
      open_.WaitForNotification();
    });
    entered.WaitForNotification();
  }
  ~CallQueueTest() override {
    if (!open_.HasBeenNotified()) open_.Notify();
  }

  CallQueue::Admission Submit(uid_t uid, std::function<void()> call) {
    return queue_.Submit(uid, [this, call] {
      call();
      queue_.Answered();
    });
  }
  void Drain() {
    open_.Notify();
    queue_.CloseAndWait(absl::Now() + absl::Seconds(30));
  }

  absl::Notification open_;
  CallQueue queue_;
};

TEST_F(CallQueueTest, TakesFromEachUidInTurn) {
  std::vector<std::string> order;
  const auto note = [&](const std::string& name) {
    return [&order, name] { order.push_back(name); };
  };
  for (const char* name : {"a1", "a2", "a3", "a4"}) Submit(1, note(name));
  for (const char* name : {"b1", "b2"}) Submit(2, note(name));
  Submit(3, note("c1"));
  Drain();
  EXPECT_THAT(order, ElementsAre("a1", "b1", "c1", "a2", "b2", "a3", "a4"));
}

TEST_F(CallQueueTest, WhoHasTooManyWaitingIsRefusedAlone) {
  int done = 0;
  for (size_t i = 0; i < CallQueue::kMaxWaiting; ++i) {
    EXPECT_EQ(Submit(1, [&] { ++done; }), CallQueue::Admission::kAccepted);
  }
  EXPECT_EQ(Submit(1, [&] { ++done; }), CallQueue::Admission::kTooMany);
  EXPECT_EQ(Submit(2, [&] { ++done; }), CallQueue::Admission::kAccepted);
  Drain();
  EXPECT_EQ(done, static_cast<int>(CallQueue::kMaxWaiting) + 1);
  EXPECT_EQ(Submit(1, [] {}), CallQueue::Admission::kClosed);
}

TEST_F(CallQueueTest, WaitsNoLongerThanItIsTold) {
  Submit(1, [] {});
  queue_.CloseAndWait(absl::Now() + absl::Milliseconds(1));
  EXPECT_FALSE(open_.HasBeenNotified());
}

}  // namespace
}  // namespace svnet
