// The process that has a lease's TAP open is hostile: whatever it does to the TAP costs that
// lease, and no other owner's guest, quota or address.
#include <linux/if_tun.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/system/clones.h"
#include "tests/system/kernel_count.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"
#include "tests/system/tap_holder.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kVictimMac[] = "02:11:22:33:44:55";

v1::CreateTapRequest Request(const std::string& vm, int queues) {
  v1::CreateTapRequest request;
  request.set_vm_id(vm);
  request.set_iface_id("eth0");
  request.set_queues(static_cast<uint32_t>(queues));
  return request;
}

class HolderFixture : public SystemTest {
 protected:
  void Begin() {
    svnetd_ = std::unique_ptr<Daemon>(new Daemon(Start()));
    alice_ = std::make_unique<Client>(svnetd_->socket(), Member(kAlice));
    bob_ = std::make_unique<Client>(svnetd_->socket(), Member(kBob));
    v1::CreateTapRequest request = Request("victim", 1);
    request.set_mac_address(kVictimMac);
    const Client::Answer answer = bob_->Create(request);
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    victim_.emplace(answer.tap);
  }
  void Restart() {
    svnetd_->Stop(SIGKILL);
    svnetd_ = std::unique_ptr<Daemon>(new Daemon(Start()));
    alice_ = std::make_unique<Client>(svnetd_->socket(), Member(kAlice));
    bob_ = std::make_unique<Client>(svnetd_->socket(), Member(kBob));
  }

  v1::Tap MustCreate(const std::string& vm, int queues) {
    const Client::Answer answer = alice_->Create(Request(vm, queues));
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    return answer.tap;
  }

  // The other owner has what it had, and its guest its network.
  void ExpectVictimIsWell() {
    // A ping that was on its way while its MAC was stolen is lost.
    bool pings = false;
    for (int i = 0; i < 25 && !pings; ++i) {
      pings = victim_->Pings(victim_->gateway(), absl::Milliseconds(200));
    }
    EXPECT_TRUE(pings);
    const std::vector<v1::Tap> taps = bob_->MustList();
    ASSERT_EQ(taps.size(), 1u);
    EXPECT_EQ(taps[0].vm_id(), "victim");
    EXPECT_THAT(bob_->MustGetNetwork().conditions(), IsEmpty());
  }

  Daemon& svnetd() { return *svnetd_; }
  Client& alice() { return *alice_; }
  Client& bob() { return *bob_; }
  const TapGuest& victim() const { return *victim_; }

 private:
  std::unique_ptr<Daemon> svnetd_;
  std::unique_ptr<Client> alice_, bob_;
  std::optional<TapGuest> victim_;
};

struct HeldTap {
  HolderAction action;
  int queues;
  Guests guests;

  std::string Name() const { return absl::StrCat(action.name, queues, "Queues_", guests.Name()); }
  friend std::ostream& operator<<(std::ostream& out, const HeldTap& each) {
    return out << each.Name();
  }
};

// What the number of queues changes does not depend on the kind.
std::vector<HeldTap> AllHeldTaps() {
  std::vector<HeldTap> all;
  for (const HolderAction& action : AllHolderActions(kVictimMac, kBob)) {
    all.push_back({action, 1, {NetworkKind::kBridge}});
    all.push_back({action, 2, {NetworkKind::kBridge}});
    all.push_back({action, 2, {NetworkKind::kRouted}});
    all.push_back({action, 1, {NetworkKind::kRouted, /*clones=*/true}});
  }
  return all;
}

class HolderActionTest : public HolderFixture, public ::testing::WithParamInterface<HeldTap> {
 protected:
  Guests guests() const override { return GetParam().guests; }
  static const HolderAction& Action() { return GetParam().action; }
  static int Queues() { return GetParam().queues; }
  v1::Tap MustCreateHeld() {
    v1::CreateTapRequest request = Request("vm1", Queues());
    if (guests().clones) *request.mutable_guest_view() = TheView();
    return alice().MustCreate(request);
  }
};
INSTANTIATE_TEST_SUITE_P(Holder, HolderActionTest, ::testing::ValuesIn(AllHeldTaps()),
                         [](const auto& each) { return each.param.Name(); });

TEST_P(HolderActionTest, CostsOnlyItsOwnLease) {
  Begin();
  const v1::Tap tap = MustCreateHeld();
  TapHolder holder(tap, kAlice, Queues());
  Watcher watcher(alice());
  watcher.WaitFor(v1::TAP_EVENT_TYPE_ADDED, tap.tap_name());
  EXPECT_EQ(Action().act(holder), Action().expected_errno);
  if (Action().said.empty()) {
    EXPECT_EQ(alice().MustList().size(), 1u);
  } else {
    EXPECT_THAT(watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, tap.tap_name()).message(),
                HasSubstr(Action().said));
    EXPECT_THAT(alice().MustList(), IsEmpty());
    EXPECT_THAT(svnetd().log(), HasSubstr(Action().said));
  }
  ExpectVictimIsWell();
  holder.Close();
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(Action().said.empty() ? 2 : 1, network_kind()));
}

TEST_P(HolderActionTest, WhileSvnetdIsAwayIsFoundAtItsStart) {
  Begin();
  const v1::Tap tap = MustCreateHeld();
  TapHolder holder(tap, kAlice, Queues());
  svnetd().Stop(SIGKILL);
  EXPECT_EQ(Action().act(holder), Action().expected_errno);
  Restart();
  // What was changed and changed back while nobody listened has left nothing but what it did.
  const bool is_seen = !Action().said.empty() && Action().name != "MacOfAnotherAndBack";
  EXPECT_EQ(alice().MustList().size(), is_seen ? 0u : 1u);
  if (is_seen) {
    EXPECT_THAT(svnetd().log(), HasSubstr(Action().said));
  }
  ExpectVictimIsWell();
  holder.Close();
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(is_seen ? 1 : 2, network_kind()));
}

// The holder keeps its descriptor; the TAP is cut off, and then gone.
TEST_P(HolderActionTest, AfterTheLeaseWasRemovedHarmsNobody) {
  Begin();
  const v1::Tap tap = MustCreateHeld();
  TapHolder holder(tap, kAlice, Queues());
  EXPECT_TRUE(alice().MustRemove(tap.tap_name()));
  // At first the TAP is there, then it is not: its errno may be EBADFD.
  Action().act(holder);
  ExpectVictimIsWell();
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(1, network_kind()));
  Action().act(holder);
  ExpectVictimIsWell();
  EXPECT_EQ(CountKernel(), CountOfLeases(1, network_kind()));
}

class HolderTest : public OnEachKind<HolderFixture> {};
INSTANTIATE_TEST_SUITE_P(Kinds, HolderTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(HolderTest, MoreQueuesThanGrantedEndTheLease) {
  Begin();
  const v1::Tap tap = MustCreate("vm1", 2);
  TapHolder holder(tap, kAlice, 2);
  Watcher watcher(alice());
  EXPECT_EQ(holder.OpenAnother(), 0);
  EXPECT_THAT(watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, tap.tap_name()).message(),
              HasSubstr("3 queues were opened, and 2 granted"));
  ExpectVictimIsWell();
}

TEST_P(HolderTest, ALeaseThatWasGivenAwayCountsForWhoMadeItAndForNobodyElse) {
  Begin();
  for (int i = 0; i < 100; ++i) {
    const Client::Answer answer = alice().Create(absl::StrCat("vm", i));
    if (!answer.status.ok()) {
      EXPECT_EQ(ReasonOf(answer.status), "QUOTA_EXCEEDED");
      continue;
    }
    const TapHolder holder(answer.tap, kAlice, 1);
    EXPECT_EQ(holder.Control(TUNSETOWNER, kBob), 0);
  }
  ExpectVictimIsWell();
  EXPECT_THAT(alice().MustList(), IsEmpty());
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(1, network_kind()));
  // All addresses are back, a moment after the last device is gone.
  v1::GetNetworkResponse network;
  EXPECT_TRUE(Eventually([&] {
    network = bob().MustGetNetwork();
    return network.addresses().reaping() == 0;
  }));
  EXPECT_EQ(network.addresses().used(), 1u);
}

// How much CPU a process has used, in seconds (proc(5)).
double CpuSeconds(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(stat.rfind(')') + 2), ' ');
  const double ticks = std::stod(fields[11]) + std::stod(fields[12]);
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Sixteen TAPs, on which it does everything that it can, one after the other and mixed, and
// which it makes anew when they are taken from it.
TEST_P(HolderTest, AtItsWorstHarmsNobody) {
  Begin();
  const absl::Duration how_long = Soaks() ? absl::Seconds(60) : absl::Seconds(3);
  const std::vector<HolderAction> actions = AllHolderActions(kVictimMac, kBob);
  std::atomic<bool> over = false;
  std::atomic<int> done = 0;
  std::thread attacker([&] {
    Client mallory(svnetd().socket(), Member(kAlice));
    std::minstd_rand random(1);
    std::vector<std::optional<TapHolder>> holders(16);
    while (!over) {
      const size_t i = random() % holders.size();
      if (!holders[i].has_value() || holders[i]->IsGone()) {
        const int queues = 1 + static_cast<int>(i % 2);
        const Client::Answer answer = mallory.Create(Request(absl::StrCat("m", i), queues));
        if (answer.status.ok()) holders[i].emplace(answer.tap, kAlice, queues);
        continue;
      }
      actions[random() % actions.size()].act(*holders[i]);
      ++done;
    }
  });
  int sent = 0;
  int lost = 0;
  for (const absl::Time end = absl::Now() + how_long; absl::Now() < end; ++sent) {
    if (!victim().Pings(victim().gateway(), absl::Milliseconds(200))) ++lost;
  }
  over = true;
  attacker.join();
  EXPECT_GT(done, 100);
  EXPECT_GT(sent, 100);
  // Those that were on their way while the victim's MAC was stolen, and not yet given back.
  EXPECT_LE(lost, sent / 50) << "of " << sent << " pings, during " << done << " attacks";
  ExpectVictimIsWell();
  alice().MustCleanup(v1::CLEANUP_SCOPE_CALLER);
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(1, network_kind()));
  const double before = CpuSeconds(svnetd().pid());
  const absl::Time start = absl::Now();
  victim().WaitFor("nothing comes", absl::Seconds(1));
  EXPECT_LT(CpuSeconds(svnetd().pid()) - before, 0.1 * absl::ToDoubleSeconds(absl::Now() - start));
}

}  // namespace
}  // namespace svnet::testing
