// How long others wait for the kernel's lock for links while many TAPs are destroyed: on the real
// kernel, with the threads that svnetd has for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/housekeeping.h"
#include "daemon/network/network_api.h"
#include "daemon/network/network_registry.h"
#include "tests/fakes/clean_up.h"
#include "tests/fakes/fake_firewall.h"
#include "tests/fakes/fake_foreign_firewalls.h"
#include "tests/fakes/fake_spec_store.h"
#include "tests/kernel/kernel_test.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

const Caller kRoot = {.uid = 0, .gid = 0, .administrator = true, .shares_pids = true};

// Changes a link again and again, from a thread of its own.
class Prober {
 public:
  Prober() : thread_([this] { Run(); }) {}

  // The longest time that a change took, until now.
  absl::Duration Stop() {
    over_ = true;
    thread_.join();
    return longest_;
  }

 private:
  void Run() {
    const auto kernel = NetlinkKernel::Open({testing::Prefix("10.9.0.0/16")}).value();
    const auto lo = static_cast<Ifindex>(if_nametoindex("lo"));
    for (int i = 0; !over_; ++i) {
      const absl::Time begin = MonotonicNow();
      EXPECT_TRUE(kernel->SetAlias(lo, absl::StrCat("turn ", i % 2)).ok());
      longest_ = std::max(longest_, MonotonicNow() - begin);
    }
  }

  std::atomic<bool> over_ = false;
  absl::Duration longest_ = absl::ZeroDuration();
  std::thread thread_;
};

class ReapTest : public testing::KernelTest {
 protected:
  ReapTest() {
    registry_ = NetworkRegistry::Start({{.bridge = testing::Name("svbr0"),
                                         .prefix = testing::Prefix("10.9.0.0/16"),
                                         .bridge_mac = testing::Mac("c2:00:00:00:00:01")}},
                                       {.kernel = &kernel(),
                                        .firewall = &firewall_,
                                        .store = &store_,
                                        .foreign = &foreign_reconciler_,
                                        .events = &events_,
                                        .clock = MonotonicNow,
                                        .on_reaped = [this] { NoteReaped(); }})
                    .value();
    api_.emplace(registry_.get(), &foreign_reconciler_, &events_);
  }

  void Create(int count) {
    for (int i = 0; i < count; ++i) {
      const auto lease = api_->CreateTap(
          kRoot, {.vm = testing::Vm(absl::StrCat("vm", i)), .iface = testing::Iface("eth0")});
      ASSERT_TRUE(lease.ok()) << lease.status();
      taps_.push_back(lease->state.ifindex);
    }
  }
  void StartHousekeeping() {
    std::vector<Reaper*> reapers;
    for (const auto& each : reapers_) reapers.push_back(each.get());
    housekeeping_ = Housekeeping::Start(registry_.get(), reapers, &foreign_reconciler_).value();
  }
  // Whether the last TAP was reaped, soon enough.
  bool WaitUntilReaped() {
    return reaped_.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  }

  testing::Faults faults_;
  testing::FakeFirewall firewall_{&faults_};
  testing::FakeSpecStore store_{&faults_};
  testing::FakeForeignFirewalls foreign_{&faults_};
  ForeignFirewallReconciler foreign_reconciler_{
      {{.guests = {.kind = NetworkKind::kBridge,
                   .bridge = testing::Name("svbr0"),
                   .prefix = testing::Prefix("10.9.0.0/16")},
        .uplink = ""}},
      false,
      &foreign_,
      MonotonicNow};
  EventSink events_{{}};
  absl::StatusOr<CleanupResult> CleanUp(CleanupScope scope) {
    return testing::CleanUp(*api_, ReapWorker(registry_.get(), &reaper()), kRoot, {.scope = scope});
  }

  std::unique_ptr<NetworkRegistry> registry_;
  std::optional<NetworkApi> api_;

 private:
  void NoteReaped() {
    const bool exist = std::any_of(taps_.begin(), taps_.end(), [](Ifindex tap) {
      std::array<char, IF_NAMESIZE> name;
      return if_indextoname(static_cast<unsigned>(tap), name.data()) != nullptr;
    });
    if (!exist && !was_reaped_.exchange(true)) reaped_.set_value();
  }

  std::vector<Ifindex> taps_;
  std::promise<void> reaped_;
  std::atomic<bool> was_reaped_ = false;
  const std::unique_ptr<Reaper> reapers_[2] = {NetlinkReaper::Open().value(),
                                               NetlinkReaper::Open().value()};
  std::unique_ptr<Housekeeping> housekeeping_;
};

// One group of all would hold the lock for nearly all of the time: 0.9 of it.
TEST_F(ReapTest, NobodyWaitsForTheLinkLockUntilAllTapsAreGone) {
  Create(400);
  StartHousekeeping();
  Prober prober;
  const absl::Time begin = MonotonicNow();
  EXPECT_EQ(CleanUp(CleanupScope::kCaller)->taps_removed, 400u);
  EXPECT_TRUE(WaitUntilReaped());
  const absl::Duration total = MonotonicNow() - begin;
  const absl::Duration longest = prober.Stop();
  RecordProperty("total_ms", static_cast<int>(total / absl::Milliseconds(1)));
  RecordProperty("longest_wait_ms", static_cast<int>(longest / absl::Milliseconds(1)));
  EXPECT_LT(longest, total / 2) << "of " << total;
}

TEST_F(ReapTest, ACleanupOfTheNetworkDestroysBesideTheOtherThreads) {
  Create(120);
  StartHousekeeping();
  const auto cleanup = CleanUp(CleanupScope::kNetwork);
  ASSERT_TRUE(cleanup.ok()) << cleanup.status();
  EXPECT_EQ(cleanup->taps_removed, 120u);
  EXPECT_TRUE(cleanup->bridge_removed);
  EXPECT_EQ(testing::Shell("ip -o link show | grep sv || true"), "");
}

}  // namespace
}  // namespace svnet
