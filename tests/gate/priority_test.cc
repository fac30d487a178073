// Gates give way when they are flooded, and not when they have many calls.
#include "daemon/gate/priority.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/gate/confinement.h"
#include "tests/gate/gate_test.h"

namespace svnet::testing {
namespace {

using ::testing::Each;

class CpuBudgetTest : public ::testing::Test {
 protected:
  // Whether it is overdrawn after `time`, in which the process has used `cpu`.
  bool After(absl::Duration time, absl::Duration cpu, uint64_t messages = 0) {
    use_.now += time;
    use_.cpu += cpu;
    use_.messages += messages;
    return budget_.IsOverdrawn(use_);
  }

 private:
  CpuBudget::Use use_ = {.now = absl::UnixEpoch(), .cpu = absl::Seconds(5), .messages = 7};
  CpuBudget budget_{use_};
};

TEST_F(CpuBudgetTest, IsOverdrawnByTimeThatNoMessageExplains) {
  absl::Duration used;
  while (!After(absl::Milliseconds(20), absl::Milliseconds(20))) used += absl::Milliseconds(20);
  EXPECT_GE(used, CpuBudget::kBurst);
  EXPECT_LE(used, 2 * CpuBudget::kBurst);
}

TEST_F(CpuBudgetTest, MessagesExplainTime) {
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(After(absl::Milliseconds(10), absl::Milliseconds(20), 40));
  }
}

TEST_F(CpuBudgetTest, SavesNothingForLater) {
  EXPECT_FALSE(After(absl::Hours(1), absl::ZeroDuration(), 1'000'000));
  EXPECT_TRUE(After(2 * CpuBudget::kBurst, 2 * CpuBudget::kBurst));
}

TEST_F(CpuBudgetTest, ShareOfTheTimeIsFree) {
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(After(absl::Milliseconds(100), absl::Milliseconds(20)));
  }
}

class GatePriorityTest : public GateTest {
 protected:
  void SetUp() override {
    if (!kConfinesSystemCalls) GTEST_SKIP() << "with sanitizers a gate has no budget";
  }

  // Of all threads.
  std::vector<int> NiceValues() const {
    std::vector<int> values;
    const auto tasks = absl::StrCat("/proc/", gate_pid(), "/task");
    for (const auto& each : std::filesystem::directory_iterator(tasks)) {
      values.push_back(getpriority(PRIO_PROCESS, std::stoi(each.path().filename())));
    }
    return values;
  }
  bool AllHave(int nice) const {
    const std::vector<int> values = NiceValues();
    return std::all_of(values.begin(), values.end(), [&](int each) { return each == nice; });
  }
  absl::Duration CpuTime() const {
    clockid_t clock;
    timespec used = {};
    EXPECT_EQ(clock_getcpuclockid(gate_pid(), &clock), 0);
    EXPECT_EQ(clock_gettime(clock, &used), 0);
    return absl::DurationFromTimespec(used);
  }
  // So many calls, all at once.
  void Call(const std::vector<std::shared_ptr<grpc::Channel>>& channels, int each) {
    std::vector<std::unique_ptr<CallUnderWay>> calls;
    for (const auto& channel : channels) {
      for (int i = 0; i < each; ++i) calls.push_back(std::make_unique<CallUnderWay>(channel));
    }
    for (size_t i = 0; i < calls.size(); ++i) {
      gate().Answer(gate().Next(MessageKind::kCall).id, "");
    }
    for (const auto& call : calls) EXPECT_TRUE(call->Wait().ok());
  }

  int usual() const { return getpriority(PRIO_PROCESS, parent_pid()); }

 private:
  pid_t gate_pid() const { return const_cast<GatePriorityTest*>(this)->gate().pid(); }
  pid_t parent_pid() const { return const_cast<GatePriorityTest*>(this)->parent().pid(); }
};

TEST_F(GatePriorityTest, FloodedGateGivesWayWithAllItsThreads) {
  const auto channel = gate().Connect(1);
  Call({channel}, 1);
  EXPECT_THAT(NiceValues(), Each(usual()));
  const UniqueFd flood = gate().ConnectRaw(2);
  const std::string start =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9);
  ASSERT_GT(send(flood.get(), start.data(), start.size(), MSG_NOSIGNAL), 0);
  std::string updates;  // of the connection's window, by 1
  for (int i = 0; i < 256; ++i) updates += std::string("\0\0\4\x08\0\0\0\0\0\0\0\0\1", 13);
  size_t sent = 0;  // of updates
  EXPECT_TRUE(Eventually([&] {
    // As much as it takes at once: on a busy machine a little would be no flood.
    for (int i = 0; i < 64; ++i) {
      const ssize_t count = send(flood.get(), updates.data() + sent, updates.size() - sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count <= 0) break;
      sent = (sent + count) % updates.size();
    }
    return AllHave(kLowestNice);
  }));
  EXPECT_GT(NiceValues().size(), 1u);
  // It serves calls all the same.
  Call({channel}, 1);
}

TEST_F(GatePriorityTest, GateWithManyCallsGivesWayToNobody) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 8; ++i) channels.push_back(gate().Connect(i));
  Call(channels, 8);
  const absl::Duration before = CpuTime();
  int calls = 0;
  while (CpuTime() - before < 10 * CpuBudget::kBurst) {
    Call(channels, 8);
    calls += 64;
    ASSERT_THAT(NiceValues(), Each(usual()));
  }
  const absl::Duration each = (CpuTime() - before) / calls;
  RecordProperty("nanoseconds_each", absl::ToInt64Nanoseconds(each));
  std::cout << "a call takes the gate " << each << " of processor time\n";
}

}  // namespace
}  // namespace svnet::testing
