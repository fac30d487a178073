// A long random sequence of calls, kills and changes from outside, against a model.
//
// SVNET_SEED=N repeats one; SVNET_SOAK=1 makes it 20,000 steps.
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/system/kernel_count.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

class RandomTest : public OnEachKind<SystemTest> {
 protected:
  using Key = std::pair<uid_t, std::string>;  // owner, vm_id
  struct Known {
    std::string tap;
    std::string ip;

    friend bool operator==(const Known&, const Known&) = default;
  };

  void Begin(uint32_t seed) {
    random_.seed(seed);
    empty_ = NetworkPicture();
    Restart();
  }

  int Any(int count) { return static_cast<int>(random_() % count); }
  uid_t AnyUid() { return kAlice + Any(3); }
  std::string AnyVm() { return absl::StrCat("vm", Any(12)); }
  Client& As(uid_t uid) {
    std::unique_ptr<Client>& client = clients_[uid];
    if (client == nullptr) client = std::make_unique<Client>(svnetd_->socket(), Member(uid));
    return *client;
  }

  void Restart() {
    clients_.clear();
    if (svnetd_ != nullptr) svnetd_->Stop(Any(2) == 0 ? SIGKILL : SIGTERM);
    svnetd_ = std::make_unique<Daemon>(
        folder(), std::vector<std::string>{kSocketGroupFlag, kSubnet, KindFlag(network_kind())});
    ASSERT_TRUE(svnetd_->running()) << svnetd_->log();
    ExpectAsModel();
  }

  void ExpectAsModel() {
    std::map<Key, Known> leases;
    for (const v1::Tap& tap : As(0).MustList()) {
      leases[{tap.owner_uid(), tap.vm_id()}] = {tap.tap_name(), tap.guest_ip()};
    }
    EXPECT_EQ(leases, model_);
  }

  void Create() {
    const Key key(AnyUid(), AnyVm());
    const Client::Answer answer = As(key.first).Create(key.second);
    const bool full = model_.size() == kAddresses && !model_.contains(key);
    EXPECT_EQ(answer.status.ok(), !full) << answer.status.error_message();
    if (!answer.status.ok()) return;
    const Known known = {answer.tap.tap_name(), answer.tap.guest_ip()};
    const auto [at, is_new] = model_.emplace(key, known);
    EXPECT_EQ(at->second, known) << (is_new ? "new" : "standing");
  }

  void Remove() {
    const Key key(AnyUid(), AnyVm());
    v1::RemoveTapRequest request;
    request.set_vm_id(key.second);
    request.set_iface_id("eth0");
    EXPECT_EQ(As(key.first).MustRemove(request), model_.erase(key) > 0);
  }

  void Cleanup() {
    const uid_t uid = Any(4) == 0 ? 0 : AnyUid();
    const size_t before = model_.size();
    std::erase_if(model_, [&](const auto& each) { return uid == 0 || each.first.first == uid; });
    EXPECT_EQ(As(uid)
                  .MustCleanup(uid == 0 ? v1::CLEANUP_SCOPE_NETWORK : v1::CLEANUP_SCOPE_CALLER)
                  .taps_removed(),
              before - model_.size());
  }

  void LeadAstray(const Known& lease) {
    if (network_kind() == NetworkKind::kBridge) {
      Shell(absl::StrCat("ip link set ", lease.tap, " nomaster"));
      return;
    }
    // As soon as it is there again: an earlier change may have taken it away.
    const std::string command = absl::StrCat("ip route delete ", lease.ip);
    EXPECT_TRUE(Eventually([&] { return ShellExitCode(command) == 0; })) << command;
  }

  void ChangeUnderneath() {
    if (model_.empty()) return;
    const auto victim = std::next(model_.begin(), Any(static_cast<int>(model_.size())));
    const std::string& tap = victim->second.tap;
    switch (Any(8)) {
      case 0:
        Shell("nft flush ruleset");
        return;
      case 1:
        Shell("ip link set svbr0 down");
        return;
      case 2:
        Shell("ip link delete svbr0");
        return;
      case 3:
        LeadAstray(victim->second);
        return;
      case 4:
        Shell(absl::StrCat("ip link set ", tap, " down"));
        return;
      case 5:
        Shell("echo 0 > /proc/sys/net/ipv4/ip_forward");
        return;
      case 6:
        Shell(absl::StrCat("ip link set ", tap, " alias x"));
        return;
      default:
        Shell(absl::StrCat("ip link delete ", tap));
        model_.erase(victim);
    }
    // Before a kill may come in between: what svnetd never saw it takes as it is.
    As(0).MustGetNetwork();
  }

  void Step() {
    const int dice = Any(1000);
    if (dice < 480) return Create();
    if (dice < 900) return Remove();
    if (dice < 930) return Cleanup();
    if (dice < 985) return ChangeUnderneath();
    Restart();
  }

  size_t Descriptors() {
    size_t count = 0;
    for (const auto& each :
         std::filesystem::directory_iterator(absl::StrCat("/proc/", svnetd_->pid(), "/fd"))) {
      count += each.exists() || true;
    }
    return count;
  }

  void ExpectNothingLeft() {
    As(0).MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
    model_.clear();
    ExpectAsModel();
    EXPECT_EQ(CountSettledKernel(), CountOfLeases(0));
    EXPECT_EQ(NetworkPicture(), empty_);
  }

  static constexpr char kSubnet[] = "--subnet=10.9.9.0/28";
  static constexpr size_t kAddresses = 13;

  std::minstd_rand random_;
  std::string empty_;
  std::unique_ptr<Daemon> svnetd_;
  std::map<uid_t, std::unique_ptr<Client>> clients_;
  std::map<Key, Known> model_;
};
INSTANTIATE_TEST_SUITE_P(Kinds, RandomTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(RandomTest, AnyOrderOfEventsLeavesWhatTheModelSays) {
  const int steps = Soaks() ? 20'000 : 1'500;
  uint32_t seed = std::random_device()();
  const char* given = std::getenv("SVNET_SEED");
  ASSERT_TRUE(given == nullptr || absl::SimpleAtoi(given, &seed));
  std::cout << "SVNET_SEED=" << seed << "\n";
  Begin(seed);
  for (int i = 0; i < steps && !HasFailure(); ++i) Step();
  EXPECT_FALSE(HasFailure()) << "SVNET_SEED=" << seed << " repeats this";
  ExpectNothingLeft();
}

// The same daemon all the time: it does not grow.
TEST_P(RandomTest, ManyLeasesLeaveNothingInTheDaemon) {
  const int rounds = Soaks() ? 20'000 : 600;
  Begin(1);
  const auto round = [&] {
    As(kAlice).MustCreate("vm1");
    As(kAlice).MustRemove("svvm1eth0");
  };
  for (int i = 0; i < 100; ++i) round();
  CountSettledKernel();
  const size_t descriptors = Descriptors();
  for (int i = 0; i < rounds; ++i) round();
  EXPECT_EQ(CountSettledKernel(), CountOfLeases(0));
  EXPECT_EQ(Descriptors(), descriptors);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace svnet::testing
