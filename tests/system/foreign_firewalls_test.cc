// Real rules of Docker, ufw and firewalld, and real packets: svnetd says which firewall drops guest
// traffic, and with `manage_foreign_firewalls` guests get out, again after a reload, until Cleanup.
#include <fcntl.h>
#include <sys/file.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/base/network_kind.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/firewalls.h"
#include "tests/system/foreign_firewall.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Ipv4Address kInternet = Ipv4Address(0xcb007101);
constexpr char kManage[] = "manage_foreign_firewalls = true\n";

class ForeignFirewallsTest : public SystemTest {
 protected:
  ForeignFirewallsTest() {
    Shell("[[ ! -e /proc/sys/net/bridge ]] || sysctl -qw net.bridge.bridge-nf-call-iptables=0");
    // Behind all filters of the host: counts what it forwards before Send returns.
    Shell(
        "nft 'add table inet probe; add counter inet probe out; add chain inet probe post "
        "{ type filter hook postrouting priority 300; }; add rule inet probe post "
        "oifname up0 udp dport 7777 counter name out'");
  }

  // Whether a datagram leaves the host, and the answer reaches the guest: no program listens at
  // that port, so the answer is an ICMP error, which repeats the datagram.
  bool GetsOut(const TapGuest& guest) {
    const std::string text = absl::StrCat("datagram ", ++datagrams_);
    const int before = CountOut();
    guest.Send(guest.gateway_mac(), kIpv4Type,
               Udp({.from = guest.ip(), .to = kInternet, .to_port = 7777}, text));
    return CountOut() > before && guest.WaitFor(text);
  }
  bool EventuallyGetsOut(const TapGuest& guest) {
    return Eventually([&] { return GetsOut(guest); });
  }

  static std::string Conditions(Client& client) {
    const v1::GetNetworkResponse network = client.MustGetNetwork();
    return absl::StrJoin(network.conditions(), "\n", [](std::string* out, const auto& each) {
      absl::StrAppend(out, each.type(), ": ", each.message(), " | ", each.remedy());
    });
  }
  // The conditions once they contain `text` (empty: once there are none), or those at the deadline:
  // svnetd learns of other programs' rules a moment later.
  static std::string WaitForConditions(Client& client, const std::string& text) {
    std::string conditions;
    (void)Eventually([&] {
      conditions = Conditions(client);
      return text.empty() ? conditions.empty() : absl::StrContains(conditions, text);
    });
    return conditions;
  }
  // The result of these checks of the doctor, which reads the rules itself.
  static Exited Doctor(const Daemon& svnetd, std::vector<std::string> checks) {
    checks.insert(checks.begin(), {kSvnetctl, "--socket", svnetd.socket(), "doctor"});
    return RunProgramAs(kRoot, checks);
  }
  static bool Logs(const Daemon& svnetd, const std::string& text) {
    return Eventually([&] { return absl::StrContains(svnetd.log(), text); });
  }

  Internet internet_;

 private:
  static int CountOut() {
    return std::stoi(
        Shell("nft list counter inet probe out | sed -n 's/.*packets \\([0-9]*\\) .*/\\1/p'"));
  }

  int datagrams_ = 0;
};

class ForeignFirewallTest
    : public ForeignFirewallsTest,
      public ::testing::WithParamInterface<std::tuple<ForeignFirewall, NetworkKind>> {
 protected:
  ForeignFirewallTest() : installed_(Firewall().install()) {}

  static const ForeignFirewall& Firewall() { return std::get<0>(GetParam()); }
  static bool IsRouted() { return std::get<1>(GetParam()) == NetworkKind::kRouted; }
  // What svnetd says and adds for a network of this kind.
  static const ForeignFirewall::Texts& Expected() {
    return IsRouted() ? Firewall().routed : Firewall().bridge;
  }
  static std::string Keys(const std::string& more = "") {
    return absl::StrCat(IsRouted() ? "kind = \"routed\"\n" : "", more);
  }

  static std::string Rules() { return Shell(Firewall().rules); }
  static void Settle() {
    if (!Firewall().settle.empty()) Shell(Firewall().settle);
  }

 private:
  const std::shared_ptr<void> installed_;
};
INSTANTIATE_TEST_SUITE_P(All, ForeignFirewallTest,
                         ::testing::Combine(::testing::ValuesIn(ForeignFirewalls()),
                                            ::testing::Values(NetworkKind::kBridge,
                                                              NetworkKind::kRouted)),
                         [](const auto& each) {
                           const bool routed = std::get<1>(each.param) == NetworkKind::kRouted;
                           return absl::StrCat(std::get<0>(each.param).name,
                                               routed ? "Routed" : "");
                         });

TEST_P(ForeignFirewallTest, IsReportedAndNotChanged) {
  const std::string before = Rules();
  Daemon svnetd = Start({}, Keys());
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_FALSE(GetsOut(guest));
  EXPECT_THAT(WaitForConditions(root, "FOREIGN_FIREWALL"),
              AllOf(HasSubstr(absl::StrCat("FOREIGN_FIREWALL: ", Firewall().blocks)),
                    HasSubstr("manage_foreign_firewalls = true"), HasSubstr(Expected().remedy)));
  EXPECT_EQ(Rules(), before);
  EXPECT_TRUE(Logs(svnetd, Firewall().blocks));
  const Exited doctor = Doctor(svnetd, Firewall().checks);
  EXPECT_EQ(doctor.code, 1);
  EXPECT_THAT(doctor.out, AllOf(HasSubstr(Firewall().blocks), HasSubstr(Expected().remedy),
                                HasSubstr("# or manage_foreign_firewalls = true in svnetd.toml")));
}

TEST_P(ForeignFirewallTest, LetsManagedGuestsOutAgainAfterAReloadAndUntilCleanup) {
  Settle();
  const std::string before = Rules();
  Daemon svnetd = Start({}, Keys(kManage));
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(EventuallyGetsOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_EQ(Doctor(svnetd, Firewall().checks).code, 0);
  EXPECT_THAT(Rules(), HasSubstr(Expected().accept));
  const std::string managed = Rules();
  for (const std::string& reload : Firewall().reload) {
    Shell(reload);
    EXPECT_TRUE(EventuallyGetsOut(guest)) << reload << "\n" << svnetd.log();
    EXPECT_EQ(WaitForConditions(root, ""), "");
    EXPECT_EQ(Rules(), managed) << reload;
  }
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_THAT(Rules(), Not(HasSubstr("svbr0")));
  Settle();
  EXPECT_EQ(Rules(), before);
}

TEST_P(ForeignFirewallTest, LetsGuestsOutAfterTheRemedyOfTheCondition) {
  Daemon svnetd = Start({}, Keys());
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_FALSE(GetsOut(guest));
  const std::string remedy = CommandIn(WaitForConditions(root, "FOREIGN_FIREWALL"));
  EXPECT_EQ(ShellExitCode(remedy), 0) << remedy;
  EXPECT_TRUE(EventuallyGetsOut(guest)) << remedy;
  EXPECT_EQ(WaitForConditions(root, ""), "");
}

struct Dockers {
  std::string name;
  std::string program;
  std::string (*make)(const std::string& program);

  friend std::ostream& operator<<(std::ostream& out, const Dockers& each) {
    return out << each.name;
  }
};

class DockerTest : public ForeignFirewallsTest, public ::testing::WithParamInterface<Dockers> {
 protected:
  DockerTest() { Shell(Commands()); }

  static std::string Commands() { return GetParam().make(GetParam().program); }
  static void Flush() {
    Shell(absl::StrCat(GetParam().program, " -F; ", GetParam().program, " -X"));
  }
  static std::string Rules() {
    return Shell(absl::StrCat(GetParam().program, "-save -t filter | ", kWithoutCounts));
  }
};
INSTANTIATE_TEST_SUITE_P(All, DockerTest,
                         ::testing::Values(Dockers{"Docker20Nft", "iptables-nft", Docker20},
                                           Dockers{"Docker28Nft", "iptables-nft", Docker28},
                                           Dockers{"Docker20Legacy", "iptables-legacy", Docker20},
                                           Dockers{"Docker28Legacy", "iptables-legacy", Docker28}),
                         [](const auto& each) { return each.param.name; });

// Another program holds iptables-legacy's lock for longer than any command takes: guests get out
// soon after it is free, and a Cleanup waits while it is held for a moment.
TEST_P(DockerTest, WaitsForTheLockOfIptablesLegacy) {
  const UniqueFd lock(open("/run/xtables.lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(lock.valid());
  ASSERT_EQ(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  const bool legacy = GetParam().program == "iptables-legacy";
  if (legacy) {
    EXPECT_THAT(WaitForConditions(root, "another program is changing the rules"),
                HasSubstr("FOREIGN_FIREWALL"));
  }
  flock(lock.get(), LOCK_UN);
  const absl::Time free = absl::Now();
  EXPECT_TRUE(EventuallyGetsOut(guest));
  EXPECT_LT(absl::Now() - free, absl::Seconds(8));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  ASSERT_EQ(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  std::thread holder([&] {
    absl::SleepFor(absl::Milliseconds(30));  // as long as a slow command
    flock(lock.get(), LOCK_UN);
  });
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  holder.join();
}

// Rules in DOCKER-USER may drop traffic on purpose.
TEST_P(DockerTest, AppliesRulesOfUsersBeforeTheAccepts) {
  Shell(absl::StrCat(GetParam().program, " -I DOCKER-USER -p udp --dport 7777 -j DROP"));
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  bool pings = false;
  for (int i = 0; i < 4 && !pings; ++i) pings = guest.Pings(kInternet);
  EXPECT_TRUE(pings);
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_FALSE(GetsOut(guest));
}

TEST_P(DockerTest, KeepsPacketCounters) {
  Shell(absl::StrCat(GetParam().program, " -I DOCKER-USER -s 203.0.113.77 -c 5 500 -j DROP;",
                     GetParam().program, " -I FORWARD -s 203.0.113.78 -c 7 700 -j DROP"));
  const auto counted = [&] {
    return Shell(absl::StrCat(GetParam().program, "-save -c -t filter"));
  };
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  root.MustCreate("vm1");
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_THAT(counted(), AllOf(HasSubstr("[5:500]"), HasSubstr("[7:700]")));
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_THAT(counted(), AllOf(HasSubstr("[5:500]"), HasSubstr("[7:700]")));
}

TEST_P(DockerTest, DecidesAboutANetworkThatIsAddedLater) {
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  root.MustCreate("vm1");
  EXPECT_EQ(WaitForConditions(root, ""), "");
  Shell(absl::StrCat(GetParam().program, " -A FORWARD -o backends -j DOCKER"));
  const std::string theirs = "-A DOCKER-USER -i svbr0 -o backends -m comment";
  EXPECT_TRUE(Eventually([&] {
    Conditions(root);  // reads iptables-legacy's rules, which svnetd does only every 10 s
    return absl::StrContains(Rules(), theirs);
  })) << Rules();
}

// svnetd runs between every two commands with which Docker creates its rules again, and a guest
// sends to containers all the time: no datagram gets there.
TEST_P(DockerTest, OpensNoContainerToGuestsInAnyStepOfARestart) {
  internet_.Shell("sysctl -qw net.ipv4.icmp_ratelimit=0");  // each datagram gets its answer
  const char* const containers[] = {"docker0", "br-0123456789ab", "backends"};
  std::vector<std::string> commands = absl::StrSplit(Commands(), ';');
  int count = 0;
  std::vector<Ipv4Address> addresses;
  for (const char* bridge : containers) {
    const std::string subnet = absl::StrCat("172.", 17 + count, ".0.");
    addresses.push_back(Ipv4Address(0xac000002 + ((17u + count++) << 16)));
    Shell(absl::StrCat("ip link add ", bridge, " type bridge; ip address add ", subnet, "1/16 dev ",
                       bridge, "; ip link set ", bridge, " up; ip neighbour add ", subnet,
                       "2 lladdr 02:42:ac:11:00:02 dev ", bridge, " nud permanent"));
    if (bridge != containers[0]) {
      commands.push_back(absl::StrCat(GetParam().program, " -A FORWARD -o ", bridge, " -j DOCKER"));
    }
  }
  Shell(
      "nft 'add counter inet probe contained; add rule inet probe post oifname { docker0, "
      "br-0123456789ab, backends } udp dport 80 counter name contained'");
  const auto contained = [] { return Shell("nft list counter inet probe contained"); };
  Flush();
  for (const std::string& command : commands) Shell(command);
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  ASSERT_TRUE(EventuallyGetsOut(guest));
  ASSERT_EQ(WaitForConditions(root, ""), "");

  std::atomic<bool> stop = false;
  std::atomic<int> sent = 0;
  std::thread sender([&] {
    while (!stop) {
      for (const Ipv4Address address : addresses) {
        guest.Send(guest.gateway_mac(), kIpv4Type,
                   Udp({.from = guest.ip(), .to = address, .to_port = 80}, "for a container"));
        ++sent;
      }
    }
  });
  Flush();
  bool has_place = false;
  for (const std::string& command : commands) {
    Shell(command);
    has_place = has_place || absl::StrContains(command, "-A FORWARD -j DOCKER-USER");
    Conditions(root);  // reads iptables-legacy's rules, which svnetd does only every 10 s
    // Then its accepts are there.
    if (has_place) {
      EXPECT_TRUE(EventuallyGetsOut(guest)) << command << "\n" << Rules();
    }
    EXPECT_THAT(contained(), HasSubstr("packets 0 ")) << command << "\n" << Rules();
  }
  stop = true;
  sender.join();
  EXPECT_GT(sent, 0);
  EXPECT_THAT(contained(), HasSubstr("packets 0 "));
}

TEST_P(DockerTest, GetsAcceptsAtAReloadOfTheKeyAndKeepsThemAtARestart) {
  const std::string before = Rules();
  Daemon svnetd = Start();
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  svnetd.Reload(kManage);
  EXPECT_TRUE(EventuallyGetsOut(guest));
  const std::string managed = Rules();
  svnetd.Stop(SIGTERM);
  EXPECT_TRUE(GetsOut(guest));
  Daemon again = Start({}, kManage);
  Client root_again(again.socket(), kRoot);
  EXPECT_EQ(WaitForConditions(root_again, ""), "");
  EXPECT_EQ(Rules(), managed);
  again.Reload("");
  EXPECT_THAT(WaitForConditions(root_again, "Docker drops"), HasSubstr("Docker drops"));
  EXPECT_TRUE(Eventually([&] { return Rules() == before; })) << Rules();
}

class UfwTest : public ForeignFirewallsTest {
 protected:
  EnabledUfw ufw_;
};

TEST_F(UfwTest, AppliesItsOwnRulesBeforeTheAccepts) {
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(EventuallyGetsOut(guest));
  Shell("ufw route deny in on svbr0 to any port 7777 proto udp");
  EXPECT_TRUE(Eventually([&] { return !GetsOut(guest); }));
}

class FirewalldTest : public ForeignFirewallsTest {
 protected:
  static std::string Rules() { return Shell("nft list table inet firewalld"); }
};

TEST_F(FirewalldTest, HasTheBridgeInTheZoneOfThePackageUntilCleanup) {
  const Firewalld firewalld;
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(EventuallyGetsOut(guest));
  EXPECT_EQ(Shell("firewall-cmd --get-zone-of-interface=svbr0"), "svnet\n");
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(Shell("firewall-cmd --get-zone-of-interface=svbr0 2>&1 || true"), "no zone\n");
}

TEST_F(FirewalldTest, KeepsTheZoneThatAnAdministratorHasConfigured) {
  const Firewalld firewalld;
  Shell("firewall-cmd --permanent --zone=svnet --add-interface=svbr0; firewall-cmd --reload");
  const std::string before = Rules();
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(EventuallyGetsOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(Rules(), before);
}

TEST_F(FirewalldTest, KeepsTheBridgeInAnotherZoneAndReportsThat) {
  const Firewalld firewalld;
  Shell("firewall-cmd --zone=dmz --add-interface=svbr0");
  const std::string before = Rules();
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_THAT(WaitForConditions(root, "ZONE_CONFLICT"),
              HasSubstr("svnetd cannot add its accept rules: firewalld says ZONE_CONFLICT: "
                        "'svbr0' already bound to 'dmz'"));
  EXPECT_FALSE(GetsOut(guest));
  EXPECT_EQ(Rules(), before);
}

TEST_F(FirewalldTest, ReportsThatItHasNotLoadedTheZone) {
  const Firewalld firewalld(false);
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  root.MustCreate("vm1");
  EXPECT_THAT(WaitForConditions(root, "INVALID_ZONE"),
              HasSubstr("`firewall-cmd --reload` loads it"));
}

TEST_F(FirewalldTest, LetsGuestsOutTogetherWithDockerAndUfw) {
  const Firewalld firewalld;
  Shell(absl::StrCat("ufw --force enable;", Docker28("iptables-nft"), ";",
                     Docker20("iptables-legacy")));
  const auto rules = [] {
    return Shell(absl::StrCat("(iptables-save -t filter; iptables-legacy-save -t filter) | ",
                              kWithoutCounts));
  };
  const std::string before = rules();
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(EventuallyGetsOut(guest)) << Conditions(root);
  EXPECT_EQ(WaitForConditions(root, ""), "");
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(rules(), before);
  EXPECT_THAT(Rules(), Not(HasSubstr("svbr0")));
  Shell("ufw --force disable");
}

TEST_F(ForeignFirewallsTest, AddsNothingWithoutAnExtensionPoint) {
  Shell("iptables-nft -P FORWARD DROP");
  const std::string before = Shell("iptables-nft -S");
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  root.MustCreate("vm1");
  EXPECT_THAT(WaitForConditions(root, "FOREIGN_FIREWALL"),
              AllOf(HasSubstr("iptables drops traffic from guests"), Not(HasSubstr("manage"))));
  EXPECT_EQ(Shell("iptables-nft -S"), before);
}

TEST_F(ForeignFirewallsTest, LetsGuestsOutAfterDockersTableIsDeletedAndCreatedAgain) {
  Shell("sysctl -qw net.ipv4.ip_forward=1");  // as Docker does
  Shell(Docker28("iptables-nft"));
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(EventuallyGetsOut(guest));
  Shell("nft flush table ip filter; nft delete table ip filter");
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_TRUE(EventuallyGetsOut(guest));
  Shell(Docker28("iptables-nft"));
  EXPECT_TRUE(EventuallyGetsOut(guest));
}

TEST_F(ForeignFirewallsTest, RemovesTheAcceptsAtAStartWithoutTheKey) {
  Shell(Docker20("iptables-nft"));
  const std::string before = Shell("iptables-nft -S");
  {
    Daemon svnetd = Start({}, kManage);
    Client root(svnetd.socket(), kRoot);
    root.MustCreate("vm1");
    EXPECT_TRUE(Eventually([&] { return Shell("iptables-nft -S") != before; }));
  }
  Daemon svnetd = Start();
  Client root(svnetd.socket(), kRoot);
  EXPECT_THAT(WaitForConditions(root, "Docker drops"), HasSubstr("Docker drops"));
  EXPECT_TRUE(Eventually([&] { return Shell("iptables-nft -S") == before; }))
      << Shell("iptables-nft -S");
}

}  // namespace
}  // namespace svnet::testing
