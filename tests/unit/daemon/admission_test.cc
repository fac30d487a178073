// Who may call, how much, and in which turn.
#include "daemon/accept/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "daemon/accept/connection_counts.h"
#include "daemon/base/error.h"
#include "daemon/log/log_limit.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
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
  rules.all_users = true;
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

TEST(AdmissionTest, RootOfAnotherNetworkNamespaceIsAUserLikeOthers) {
  AdmissionRules rules = Rules();
  rules.admin_groups = {kOps};
  Caller root = Peer(0, {kOps});
  root.foreign = true;
  const Admission refused = Admit(root, rules);
  EXPECT_EQ(ReasonIn(refused.verdict), "PERMISSION_DENIED");
  EXPECT_THAT(std::string(refused.verdict.message()), HasSubstr("foreign_root"));
  EXPECT_FALSE(refused.caller.administrator);
  rules.users = {0};
  const Admission user = Admit(root, rules);
  EXPECT_TRUE(user.verdict.ok());
  EXPECT_FALSE(user.caller.administrator);
  EXPECT_EQ(user.caller.tap_limit, rules.limits.taps);
  rules.foreign_root = true;
  EXPECT_TRUE(Admit(root, rules).caller.administrator);
  // Of others it does not matter where they are.
  Caller operator_ = Peer(1000, {kOps});
  operator_.foreign = true;
  rules.foreign_root = false;
  EXPECT_TRUE(Admit(operator_, rules).caller.administrator);
}

class LogLimitTest : public ::testing::Test {
 protected:
  using Source = LogLimit::Source;

  // How many of that many lines in a row may be written.
  int Written(Source source, uid_t uid, int lines) {
    int written = 0;
    for (int i = 0; i < lines; ++i) {
      const LogLimit::Answer answer = limit_.Ask(source, uid, now_);
      written += answer.write ? 1 : 0;
      begins_ += answer.begins ? 1 : 0;
    }
    return written;
  }

  LogLimit limit_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  int begins_ = 0;
};

TEST_F(LogLimitTest, LeavesOutWhatIsTooMuchAndSaysHowMuchThatWas) {
  const auto burst = static_cast<int>(LogLimit::RateOf(Source::kUser).burst);
  EXPECT_EQ(Written(Source::kUser, 1000, burst + 500), burst);
  EXPECT_EQ(begins_, 1);
  now_ += absl::Milliseconds(150);
  const LogLimit::Answer next = limit_.Ask(Source::kUser, 1000, now_);
  EXPECT_TRUE(next.write);
  EXPECT_EQ(next.left_out, 500u);
  EXPECT_EQ(Written(Source::kUser, 1000, 10), 0);
  EXPECT_EQ(begins_, 1);  // said a moment ago
  now_ += absl::Hours(1);
  EXPECT_EQ(Written(Source::kUser, 1000, burst + 1), burst);
  EXPECT_EQ(begins_, 2);
  // A clock that is set back gives nothing, and breaks nothing.
  now_ -= absl::Hours(2);
  EXPECT_EQ(Written(Source::kUser, 1000, 1), 0);
}

TEST_F(LogLimitTest, UidsDoNotHideEachOthersLinesAndRefusedOnesShare) {
  Written(Source::kUser, 1000, 1000);
  EXPECT_EQ(Written(Source::kUser, 1001, 10), 10);
  Written(Source::kRefused, 1000, 1000);
  EXPECT_EQ(Written(Source::kRefused, 1001, 10), 0);
  EXPECT_EQ(Written(Source::kChange, 1000, 10), 10);
  EXPECT_EQ(Written(Source::kAdministrator, 0, 1000), 1000);
}

TEST_F(LogLimitTest, ForgetsUidsThatAreIdleAndSaysWhatTheyHaveLeftOut) {
  Written(Source::kUser, 1000, 150);
  Written(Source::kUser, 1001, 1);
  EXPECT_EQ(limit_.kept(), 2u);
  now_ += absl::Seconds(1);
  EXPECT_THAT(limit_.ForgetIdle(now_), IsEmpty());
  EXPECT_EQ(limit_.kept(), 1u);
  now_ += absl::Minutes(1);
  const std::vector<LogLimit::LeftOut> unsaid = limit_.ForgetIdle(now_);
  ASSERT_EQ(unsaid.size(), 1u);
  EXPECT_EQ(unsaid[0].uid, 1000u);
  EXPECT_EQ(unsaid[0].lines, 50u);
  EXPECT_EQ(limit_.kept(), 0u);
}

TEST_F(LogLimitTest, KeepsLittleHoweverManyUidsThereAre) {
  int written = 0;
  for (uid_t uid = 0; uid < 10'000; ++uid) written += Written(Source::kUser, 100'000 + uid, 1);
  EXPECT_LE(limit_.kept(), LogLimit::kMaxKept + 5);
  EXPECT_LE(written, static_cast<int>(LogLimit::kMaxKept) + 200);
}

class ConnectionCountsTest : public ::testing::Test {
 protected:
  static Admission Of(uid_t uid, bool administrator, absl::Status verdict) {
    Admission admission = {.caller = Peer(uid, {}), .verdict = std::move(verdict)};
    admission.caller.administrator = administrator;
    admission.connection_limit = administrator ? 1000 : 2;
    return admission;
  }
  static Admission Stranger(uid_t uid) {
    return Of(uid, false, Error(Reason::kPermissionDenied, "may not"));
  }

  // The verdict of one that is counted; nullopt: it is not.
  std::optional<absl::Status> Add(const Admission& admission) {
    absl::Status verdict = admission.verdict;
    if (!counts_.Add(admission, &verdict, now_)) return std::nullopt;
    return verdict;
  }

  ConnectionCounts counts_{{.users = 3, .administrators = 4}};
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
};

TEST_F(ConnectionCountsTest, OneUidsExcessIsToldAndTakesNoneOfTheOthersRoom) {
  const Admission alice = Of(1000, false, absl::OkStatus());
  EXPECT_TRUE(Add(alice)->ok());
  EXPECT_TRUE(Add(alice)->ok());
  const absl::Status excess = Add(alice).value();
  EXPECT_EQ(ReasonIn(excess), "QUOTA_EXCEEDED");
  EXPECT_TRUE(Add(Of(1001, false, absl::OkStatus()))->ok());
  EXPECT_EQ(Add(Of(1002, false, absl::OkStatus())), std::nullopt);  // of users there are three
  counts_.Remove(alice.caller, excess);
  EXPECT_EQ(Add(Of(1002, false, absl::OkStatus())), std::nullopt);
  counts_.Remove(alice.caller, absl::OkStatus());
  EXPECT_TRUE(Add(Of(1002, false, absl::OkStatus()))->ok());
  EXPECT_TRUE(Add(Of(0, true, absl::OkStatus()))->ok());
}

TEST_F(ConnectionCountsTest, AQuarterOfTheAdministratorsIsRootsAlone) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Add(Of(1000, true, absl::OkStatus()))->ok());
  EXPECT_EQ(Add(Of(1000, true, absl::OkStatus())), std::nullopt);
  EXPECT_TRUE(Add(Of(0, true, absl::OkStatus()))->ok());
  EXPECT_EQ(Add(Of(0, true, absl::OkStatus())), std::nullopt);
}

TEST_F(ConnectionCountsTest, FewAreToldAtATimeWhyTheyAreRefused) {
  int told = 0;
  for (uid_t uid = 5000; uid < 5100; ++uid) {
    for (int i = 0; i < 10; ++i) told += Add(Stranger(uid)).has_value() ? 1 : 0;
  }
  EXPECT_EQ(told, static_cast<int>(ConnectionCounts::kMaxRefused));
  // The first eight uids have taken all.
  EXPECT_EQ(Add(Stranger(5100)), std::nullopt);
  counts_.Remove(Stranger(5000).caller, Stranger(5000).verdict);
  EXPECT_TRUE(Add(Stranger(5100)).has_value());
}

TEST_F(ConnectionCountsTest, FewASecondAreToldWhyTheyAreRefused) {
  const auto add_and_remove = [this](int times) {
    int told = 0;
    for (int i = 0; i < times; ++i) {
      if (!Add(Stranger(5000)).has_value()) continue;
      counts_.Remove(Stranger(5000).caller, Stranger(5000).verdict);
      ++told;
    }
    return told;
  };
  EXPECT_EQ(add_and_remove(1000), ConnectionCounts::kRefusedRate.burst);
  now_ += absl::Seconds(1);
  EXPECT_EQ(add_and_remove(1000), ConnectionCounts::kRefusedRate.per_second);
}

TEST(ConnectionLimitsTest, LeaveRoomForAdministratorsAndForRefusals) {
  const ConnectionLimits usual = ConnectionLimits::Plan(16384, 4096);
  EXPECT_EQ(usual.users, 4096u);
  EXPECT_EQ(usual.administrators, 1024u);
  for (const size_t descriptors : {0u, 256u, 1024u, 4096u, 1u << 20}) {
    const ConnectionLimits limits = ConnectionLimits::Plan(descriptors, 1'000'000);
    EXPECT_GT(limits.users, 0u);
    EXPECT_GT(limits.administrators, 3u);
    EXPECT_LT(2 * (limits.users + limits.administrators + ConnectionCounts::kMaxRefused),
              std::max<size_t>(descriptors, 1024));
  }
}

}  // namespace
}  // namespace svnet
