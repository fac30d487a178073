// svnetd ends and starts again, and nothing happens to anybody.
#include <signal.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/unique_fd.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kernel_count.h"
#include "tests/system/raw_call.h"
#include "tests/system/three_guests.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Ipv4Address kOutside(0xcb007101);

class AdoptionTest : public OnEachKind<ThreeGuestsTest> {
 protected:
  // They send as fast as they can.
  void ExpectNothingIsLostBetweenGuests() {
    Begin();
    std::atomic<bool> stop = false;
    std::atomic<int> sent = 0;
    std::atomic<int> lost = 0;
    std::thread sending([&] {
      while (!stop) {
        ++sent;
        if (!Reaches(alice1(), alice2())) ++lost;
      }
    });
    svnetd().Stop(SIGTERM);
    for (int i = 0; i < 20; ++i) {
      Daemon again = Start();
      const int before = sent;
      while (sent < before + 30) std::this_thread::yield();
      again.Stop(i % 2 == 0 ? SIGTERM : SIGKILL);
    }
    stop = true;
    sending.join();
    EXPECT_EQ(lost, 0) << "of " << sent;
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, AdoptionTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

std::vector<std::string> Serialized(const std::vector<v1::Tap>& taps) {
  std::vector<std::string> texts;
  for (const v1::Tap& tap : taps) texts.push_back(tap.ShortDebugString());
  return texts;
}

// Fault 7.
TEST_P(AdoptionTest, AfterKill9TheLeasesAreTheSame) {
  std::vector<std::string> before;
  std::string picture;
  {
    Daemon svnetd = Start();
    Client alice(svnetd.socket(), Member(kAlice));
    Client bob(svnetd.socket(), Member(kBob));
    for (int i = 0; i < 10; ++i) {
      alice.MustCreate(absl::StrCat("vm", i));
      bob.MustCreate(absl::StrCat("vm", i));
    }
    alice.MustRemove("svvm9eth0");
    CountSettledKernel();
    before = Serialized(Client(svnetd.socket(), 0).MustList());
    picture = NetworkPicture();
    EXPECT_EQ(svnetd.Stop(SIGKILL), -1);
  }
  EXPECT_EQ(NetworkPicture(), picture);
  Daemon svnetd = Start();
  EXPECT_EQ(NetworkPicture(), picture);
  Client root(svnetd.socket(), 0);
  EXPECT_EQ(Serialized(root.MustList()), before);
  Client alice(svnetd.socket(), Member(kAlice));
  EXPECT_EQ(alice.MustCreate("vm0").guest_ip(), "172.30.0.2");
  EXPECT_EQ(alice.MustCreate("new").guest_ip(), "172.30.0.22");
  EXPECT_EQ(root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK).taps_removed(), 20u);
}

// Also after one that was killed in the middle of its work.
TEST_P(AdoptionTest, KeepsEveryLeaseAndDisturbsNoGuest) {
  const Internet internet;
  Begin();
  const std::string picture =
      "ip -d -o link show type tun | sed 's/ state [A-Z]*//'; ip route show proto 115";
  const std::string before = Shell(picture);
  for (const int signal : {SIGTERM, SIGKILL}) {
    svnetd().Stop(signal);
    EXPECT_TRUE(alice1().Pings(kOutside));
    EXPECT_FALSE(Reaches(alice1(), bob()));
    Daemon again = Start();
    Client alice(again.socket(), Member(kAlice));
    ASSERT_EQ(alice.MustList().size(), 2u);
    EXPECT_TRUE(alice.MustList()[0].attached());
    EXPECT_EQ(Shell(picture), before);
    EXPECT_TRUE(alice1().Pings(kOutside));
    EXPECT_TRUE(Reaches(alice1(), alice2()));
    EXPECT_FALSE(Reaches(alice1(), bob()));
    EXPECT_THAT(alice.MustGetNetwork().conditions(), IsEmpty());
    again.Stop(SIGKILL);
  }
}

TEST_P(AdoptionTest, NothingIsLostThatGuestsSendEachOther) { ExpectNothingIsLostBetweenGuests(); }

TEST_P(AdoptionTest, OnAnOlderKernelNothingIsLostThatGuestsSendEachOther) {
  const OlderKernel kernel;
  ExpectNothingIsLostBetweenGuests();
}

// The guests go on as they were, and the next start with the right file finds them.
TEST_P(AdoptionTest, AnotherKindOrSubnetIsRefusedWhileThereAreLeases) {
  const Internet internet;
  Begin();
  svnetd().Stop(SIGTERM);
  const std::string picture =
      "ip -o link | sed 's/ state [A-Z]*//'; ip route; nft -s -t list ruleset";
  const std::string before = Shell(picture);
  const NetworkKind other_kind = IsRouted() ? NetworkKind::kBridge : NetworkKind::kRouted;
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{kSocketGroupFlag, KindFlag(other_kind)},
        {kSocketGroupFlag, KindFlag(network_kind()), "--subnet=10.77.0.0/24"}}) {
    Daemon other(folder(), flags);
    Client alice(other.socket(), Member(kAlice));
    const Client::Answer refused = alice.Create("vm9");
    EXPECT_THAT(refused.status.error_message(), HasSubstr("svnetctl cleanup --network"));
    EXPECT_THAT(other.log(), HasSubstr("TAP svvm1eth0 is a lease of"));
    other.Stop(SIGTERM);
    EXPECT_TRUE(alice1().Pings(kOutside));
    EXPECT_FALSE(Reaches(alice1(), bob()));
  }
  EXPECT_EQ(Shell(picture), before);
  Daemon again = Start();
  EXPECT_EQ(Client(again.socket(), Member(kAlice)).MustList().size(), 2u);
}

class RestartTest : public SystemTest {};

TEST_F(RestartTest, SigtermLetsRunningCallsFinishAndRefusesNewOnes) {
  Daemon svnetd = Start();
  constexpr int kCallers = 4;
  constexpr int kTaps = 60;
  std::atomic<int> made = 0;
  std::atomic<bool> begun = false;
  std::vector<grpc::Status> last(kCallers);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kCallers; ++i) {
    clients.push_back(std::make_unique<Client>(svnetd.socket(), Member(kAlice + i)));
  }
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      // As long as it is served; in the end it only asks for what it has.
      for (int vm = 0;; ++vm) {
        last[i] = clients[i]->Create(absl::StrCat("vm", vm % kTaps)).status;
        if (!last[i].ok()) return;
        if (vm < kTaps) begun = ++made >= 8;
      }
    });
  }
  while (!begun) std::this_thread::yield();
  EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
  for (std::thread& caller : callers) caller.join();
  for (const grpc::Status& status : last) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  }
  // Whoever was told that it is made has it, and nothing else is there.
  EXPECT_EQ(Shell("ip -o link show type tun | wc -l"), absl::StrCat(made.load(), "\n"));
  EXPECT_NE(ShellExitCode(absl::StrCat("test -e ", svnetd.socket())), 0);
}

// A caller who does not take the answer would keep it waiting for 10 s.
TEST_F(RestartTest, ASecondSigtermEndsItNow) {
  Daemon svnetd = Start();
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const UniqueFd caller = ConnectAs(svnetd.socket(), Member(kAlice));
  // SETTINGS_INITIAL_WINDOW_SIZE = 0 (RFC 9113, 6.5.2): no answer may be sent.
  const std::string no_window("\0\0\6\4\0\0\0\0\0\0\4\0\0\0\0", 15);
  ASSERT_TRUE(SendAll(caller, RawStart() + no_window + RawCall("ListTaps", 1)));
  // It has run when one that came later has.
  Client(svnetd.socket(), Member(kAlice)).MustList();
  kill(svnetd.pid(), SIGTERM);
  EXPECT_TRUE(Eventually([&] { return absl::StrContains(svnetd.log(), "svnetd stops"); }));
  EXPECT_EQ(svnetd.Stop(SIGTERM), -1);
  Daemon next = Start();
  EXPECT_EQ(Client(next.socket(), Member(kAlice)).MustList().size(), 1u);
}

TEST_F(RestartTest, AStaleSocketFileIsReplaced) {
  std::string path;
  {
    Daemon svnetd = Start();
    path = svnetd.socket();
    svnetd.Stop(SIGKILL);
  }
  EXPECT_EQ(ShellExitCode("test -S " + path), 0);
  Daemon svnetd = Start();
  EXPECT_TRUE(svnetd.running());
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
}

TEST_F(RestartTest, ALiveSocketIsRefused) {
  Daemon first = Start();
  Daemon second = Start({"--bridge=svbr1", "--subnet=172.31.0.0/24"});
  EXPECT_FALSE(second.running());
  EXPECT_EQ(second.exit_code(), 1);
  EXPECT_THAT(second.log(), HasSubstr("somebody listens at"));
  Client(first.socket(), Member(kAlice)).MustCreate("vm1");
}

TEST_F(RestartTest, AFileThatIsNoSocketIsLeftAlone) {
  Shell("echo precious > " + folder() + "/svnetd.sock");
  Daemon svnetd = Start();
  EXPECT_EQ(svnetd.exit_code(), 1);
  EXPECT_THAT(svnetd.log(), HasSubstr("is no socket"));
  EXPECT_EQ(Shell("cat " + folder() + "/svnetd.sock"), "precious\n");
}

TEST_F(RestartTest, TheSocketIsTheGroupsOrRootsAlone) {
  {
    Daemon svnetd = Start();
    EXPECT_EQ(Shell("stat -c '%a %u %g' " + svnetd.socket()), "660 0 65534\n");
  }
  Daemon svnetd(folder(), {"--socket-group=no-such-group"});
  EXPECT_EQ(Shell("stat -c '%a %u %g' " + svnetd.socket()), "600 0 0\n");
  EXPECT_THAT(svnetd.log(), HasSubstr("there is no group no-such-group"));
}

}  // namespace
}  // namespace svnet::testing
