// Another program flushes the whole ruleset of the host, while guests have connections open.
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>

#include "tests/eventually.h"
#include "tests/system/guest_and_outside.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kConnections = 100;

class FlushTest : public WithAllGuests<GuestAndOutsideTest> {
 protected:
  // Connections from a guest to the outside, with bytes under way in both directions.
  class BusyConnections {
   public:
    explicit BusyConnections(int count) {
      const Listener listener(count);
      for (int i = 0; i < count; ++i) {
        auto [guest, outside] = listener.Connect();
        ends_.push_back(std::make_unique<End>(std::move(guest)));
        ends_.push_back(std::make_unique<End>(std::move(outside)));
      }
      pump_ = std::thread([this] {
        while (!stop_) {
          for (size_t i = 0; i < ends_.size(); ++i) Pump(ends_[i].get(), *ends_[i ^ 1]);
        }
      });
    }
    ~BusyConnections() {
      stop_ = true;
      pump_.join();
    }

    // How many of their ends have seen an error or the end.
    int CountDead() const {
      int dead = 0;
      for (const auto& end : ends_) dead += end->dead ? 1 : 0;
      return dead;
    }

    // Waits until something has come in at each end that is alive; how many got nothing in time.
    int CountSilent() const {
      std::vector<uint64_t> before;
      for (const auto& end : ends_) before.push_back(end->received);
      int silent = 0;
      const bool none = Eventually([&] {
        silent = 0;
        for (size_t i = 0; i < ends_.size(); ++i) {
          silent += !ends_[i]->dead && ends_[i]->received == before[i] ? 1 : 0;
        }
        return silent == 0;
      });
      return none ? 0 : silent;
    }

   private:
    struct End {
      explicit End(UniqueFd socket) : fd(std::move(socket)) {}
      UniqueFd fd;
      std::atomic<bool> dead = false;
      uint64_t sent = 0;                   // bytes
      std::atomic<uint64_t> received = 0;  // bytes
    };

    // Each has one packet under way, so that all of them together fill no queue.
    static void Pump(End* end, const End& other) {
      if (end->dead) return;
      char bytes[1024] = {};
      bool cannot_send = false;
      if (end->sent == other.received) {
        const ssize_t sent = send(end->fd.get(), bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        cannot_send = sent < 0 && errno != EAGAIN;
        if (sent > 0) end->sent += static_cast<uint64_t>(sent);
      }
      const ssize_t got = recv(end->fd.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
      const bool cannot_receive = got == 0 || (got < 0 && errno != EAGAIN);
      if (got > 0) end->received += static_cast<uint64_t>(got);
      if (cannot_send || cannot_receive) end->dead = true;
    }

    std::vector<std::unique_ptr<End>> ends_;
    std::atomic<bool> stop_ = false;
    std::thread pump_;
  };

  v1::Tap MakeGuest(const Daemon& svnetd) const {
    Client alice(svnetd.socket(), Member(kAlice));
    return MustCreateGuest(alice, "vm1");
  }
  static bool ArePersistent() { return RulesTable() != "svnet-svbr0"; }
};

INSTANTIATE_TEST_SUITE_P(Guests, FlushTest, ::testing::ValuesIn(kAllGuests), NameOfGuests);

TEST_P(FlushTest, KillsNoConnectionAlsoAcrossAKill) {
  std::unique_ptr<Daemon> svnetd(new Daemon(Start()));
  AddGuest(MakeGuest(*svnetd));
  if (!ArePersistent()) GTEST_SKIP() << "this kernel has no persistent tables (6.9)";
  const BusyConnections connections(kConnections);
  for (int flush = 0; flush < 10; ++flush) {
    if (flush == 5) {
      svnetd->Stop(SIGKILL);
      EXPECT_EQ(connections.CountSilent(), 0);
      svnetd = nullptr;
      svnetd.reset(new Daemon(Start()));
      ASSERT_TRUE(svnetd->running()) << svnetd->log();
    }
    Shell("nft flush ruleset");
    EXPECT_EQ(connections.CountSilent(), 0) << flush;
  }
  EXPECT_EQ(connections.CountDead(), 0);
  EXPECT_THAT(svnetd->log(), Not(HasSubstr("the nftables rules were changed")));
}

// The tables of an earlier version, and of an svnetd that was stopped, are replaced in one step.
TEST_P(FlushTest, UpgradeAndRestartsKillNoConnection) {
  {
    const OlderKernel kernel;
    Daemon earlier = Start();
    AddGuest(MakeGuest(earlier));
    EXPECT_EQ(RulesTable(), "svnet-svbr0");
    earlier.Stop(SIGKILL);
  }
  const BusyConnections connections(kConnections);
  for (int i = 0; i < 5; ++i) {
    Daemon svnetd = Start();
    ASSERT_TRUE(svnetd.running()) << svnetd.log();
    if (!ArePersistent()) GTEST_SKIP() << "this kernel has no persistent tables (6.9)";
    EXPECT_THAT(Shell("nft list tables"), Not(HasSubstr("svnet-svbr0\n")));
    EXPECT_EQ(connections.CountSilent(), 0) << i;
    svnetd.Stop(SIGTERM);
    EXPECT_EQ(RulesTable(), "svnet-svbr0") << "a stopped svnetd leaves plain tables";
    EXPECT_EQ(connections.CountSilent(), 0) << i;
  }
  EXPECT_EQ(connections.CountDead(), 0);
}

TEST_P(FlushTest, WhileSvnetdIsAwayIsRepairedByTheNextStart) {
  {
    Daemon svnetd = Start();
    AddGuest(MakeGuest(svnetd));
    svnetd.Stop(SIGTERM);
  }
  EXPECT_EQ(ShellExitCode("ip netns exec guest ping -c 1 -w 5 203.0.113.1"), 0);
  Shell("nft flush ruleset");
  EXPECT_NE(ShellExitCode("ip netns exec guest ping -c 1 -w 1 203.0.113.1"), 0);
  Daemon svnetd = Start();
  EXPECT_EQ(ShellExitCode("ip netns exec guest ping -c 1 -w 5 203.0.113.1"), 0);
}

}  // namespace
}  // namespace svnet::testing
