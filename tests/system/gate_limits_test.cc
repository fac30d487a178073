// How many gates there are, and what they take.
#include <sys/mount.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/system/gate_test.h"
#include "tests/system/http2_attack.h"
#include "tests/system/http2_flood.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kFirstUid = 3'000;

class GateLimitsTest : public GateFixture {
 protected:
  using GateFixture::GateFixture;

  static std::string Request(const std::string& vm) {
    v1::CreateTapRequest request;
    request.set_vm_id(vm);
    request.set_iface_id("eth0");
    return request.SerializeAsString();
  }

  // That caller has a TAP of its own, and sees no other.
  void ExpectSeesOnlyItsOwn(uid_t uid) {
    const auto list = ResponseIn<v1::ListTapsResponse>(Call(Member(uid), "ListTaps").answer);
    ASSERT_EQ(list.taps_size(), 1);
    EXPECT_EQ(list.taps(0).owner_uid(), uid);
  }
};

TEST_F(GateLimitsTest, SixtyFourUsersHaveTheirOwnAndOthersShareOne) {
  constexpr int kCallers = 70;
  constexpr size_t kMost = 64;
  std::vector<Called> open;
  std::set<pid_t> own;
  std::set<pid_t> shared;
  for (uid_t uid = kFirstUid; uid < kFirstUid + kCallers; ++uid) {
    open.push_back(Call(Member(uid), "CreateTap", Request("vm1")));
    const auto created = ResponseIn<v1::CreateTapResponse>(open.back().answer);
    EXPECT_EQ(created.tap().owner_uid(), uid);
    (open.size() <= kMost ? own : shared).insert(GateOf(svnetd().pid(), open.back().connection));
  }
  EXPECT_EQ(own.size(), kMost);
  EXPECT_EQ(shared.size(), 1u);
  EXPECT_FALSE(own.contains(*shared.begin()));
  EXPECT_FALSE(shared.contains(-1));
  for (uid_t uid = kFirstUid; uid < kFirstUid + kCallers; ++uid) ExpectSeesOnlyItsOwn(uid);
  // Root never shares one.
  const pid_t of_root = GateFor({.uid = 0, .gid = 0, .groups = {}});
  EXPECT_GT(of_root, 0);
  EXPECT_FALSE(own.contains(of_root) || shared.contains(of_root));
  // Besides these there are at most one that is kept ready and one for those who are refused.
  EXPECT_LE(GatesOf(svnetd().pid()).size(), kMost + 4);
}

TEST_F(GateLimitsTest, OneUidHasFour) {
  std::vector<Called> open;
  std::set<pid_t> first;
  std::set<pid_t> rest;
  for (gid_t i = 0; i < 8; ++i) {
    const RunAs who = {.uid = kAlice, .gid = kAlice, .groups = {kSocketGroup, 5'000 + i}};
    open.push_back(Call(who, "CreateTap", Request("vm1")));
    EXPECT_EQ(ResponseIn<v1::CreateTapResponse>(open.back().answer).tap().owner_uid(), kAlice);
    (i < 4 ? first : rest).insert(GateOf(svnetd().pid(), open.back().connection));
  }
  EXPECT_EQ(first.size(), 4u);
  EXPECT_EQ(rest.size(), 1u);
  EXPECT_FALSE(first.contains(*rest.begin()));
  EXPECT_LE(GatesOf(svnetd().pid()).size(), 6u);
}

class RefusedGateTest : public GateLimitsTest {
 protected:
  RefusedGateTest() : GateLimitsTest({"--allow-users=1000"}) {}
};

TEST_F(RefusedGateTest, EightConnectionsOfAUidAndSixtyFourInAllAreToldWhy) {
  std::vector<Called> open;
  const auto told = [&](uid_t uid, int connections) {
    int count = 0;
    for (int i = 0; i < connections; ++i) {
      open.push_back(Call({.uid = uid, .gid = uid, .groups = {}}, "ListTaps"));
      const std::string& answer = open.back().answer;
      if (answer.empty()) continue;
      EXPECT_THAT(answer, HasSubstr("allow_users"));
      ++count;
    }
    return count;
  };
  EXPECT_EQ(told(kFirstUid, 10), 8);
  int all = 8;
  for (uid_t uid = kFirstUid + 1; uid < kFirstUid + 10; ++uid) all += told(uid, 8);
  EXPECT_EQ(all, 64);
  Client(svnetd().socket(), kAlice).MustCreate("vm1");
}

// The kernel says so, as long as the object lives.
class ManyProcessors {
 public:
  ManyProcessors() {
    std::ofstream(file_) << "0-63\n";
    EXPECT_EQ(mount(file_.c_str(), kPossible, nullptr, MS_BIND, nullptr), 0);
  }
  ~ManyProcessors() { umount(kPossible); }

 private:
  static constexpr char kPossible[] = "/sys/devices/system/cpu/possible";

  const TemporaryFolder folder_;
  const std::string file_ = folder_.path() + "/possible";
};

class GateThreadsTest : public SystemTest {};

TEST_F(GateThreadsTest, AreFewWhateverTheHostHas) {
  const ManyProcessors processors;
  ASSERT_EQ(Shell("getconf _NPROCESSORS_CONF"), "64\n");
  Daemon svnetd = Start();
  size_t most = 0;
  for (const Http2Attack& attack : Http2Attacks()) {
    if (attack.name != "Calls" && attack.name != "ZeroWindow") continue;
    const FloodSource source = {
        .processes = 2, .connections = 32, .who = [](int, int) { return Member(kAlice); }};
    const Http2Flood flood(svnetd.socket(), attack, source, true);
    flood.WaitUntilSent(1 << 20);
    for (const absl::Time end = absl::Now() + absl::Seconds(1); absl::Now() < end;) {
      const std::vector<pid_t> gates = GatesOf(svnetd.pid());
      EXPECT_FALSE(gates.empty());
      for (const pid_t gate : gates) most = std::max(most, ThreadsOf(gate));
    }
  }
  EXPECT_LE(most, 16u);
  EXPECT_GT(most, 1u);
}

class GateCostTest : public GateLimitsTest {
 protected:
  // Of svnetd, the parent and all gates.
  int Memory() { return ProportionalMemoryOf(ProcessTree(svnetd().pid())); }

  // KiB.
  static void ExpectAtMost(int memory, int most) {
    if (IsSanitized()) {
      std::cout << "not checked: most of it is the sanitizers'\n";
    } else {
      EXPECT_LE(memory, most);
    }
  }
};

TEST_F(GateCostTest, ANewCallerIsServedSoon) {
  std::vector<absl::Duration> times;
  for (uid_t uid = kFirstUid; uid < kFirstUid + 20; ++uid) {
    times.push_back(TimeUntilServed(Member(uid)));
  }
  std::sort(times.begin(), times.end());
  std::cout << "p50 " << times[times.size() / 2] << ", at most " << times.back() << "\n";
  EXPECT_LE(times[times.size() / 2], Allowed(absl::Milliseconds(10)));
}

TEST_F(GateCostTest, OneCallersMemory) {
  std::vector<Called> open;
  for (int i = 0; i < 64; ++i) open.push_back(Call(Member(kAlice), "ListTaps"));
  const int memory = Memory();
  std::cout << memory << " KiB with 64 connections of one caller\n";
  EXPECT_EQ(std::count_if(open.begin(), open.end(),
                          [](const Called& called) { return called.answer.empty(); }),
            0);
  ExpectAtMost(memory, 40 << 10);
}

TEST_F(GateCostTest, FiftyCallersMemory) {
  std::vector<Called> open;
  for (uid_t uid = kFirstUid; uid < kFirstUid + 50; ++uid) {
    open.push_back(Call(Member(uid), "CreateTap", Request("vm1")));
    EXPECT_NE(open.back().answer, "");
  }
  const int memory = Memory();
  std::cout << memory << " KiB with 50 callers\n";
  ExpectAtMost(memory, 100 << 10);
}

}  // namespace
}  // namespace svnet::testing
