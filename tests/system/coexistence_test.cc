// Docker's, ufw's and firewalld's real rules, and real packets: who stops guests is said,
// and with `manage_foreign_firewalls` they get out, again after a reload, until Cleanup.
#include <fcntl.h>
#include <sys/file.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/sandbox/internet.h"
#include "tests/system/firewalls.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr RunAs kRoot = {.uid = 0, .gid = 0, .groups = {}};
constexpr Ipv4Address kInternet = Ipv4Address(0xcb007101);
constexpr char kWithoutCounts[] = "sed '/^#/d; s/ \\[[0-9:]*\\]$//'";
constexpr char kManage[] = "manage_foreign_firewalls = true\n";

class CoexistenceTest : public SystemTest {
 protected:
  CoexistenceTest() {
    Shell("[[ ! -e /proc/sys/net/bridge ]] || sysctl -qw net.bridge.bridge-nf-call-iptables=0");
    // Behind all filters of the host's; what is forwarded comes here before Send returns.
    Shell(
        "nft 'add table inet probe; add counter inet probe out; add chain inet probe post "
        "{ type filter hook postrouting priority 300; }; add rule inet probe post "
        "oifname up0 udp dport 7777 counter name out'");
  }

  // Whether a datagram leaves the host, and the answer to it comes to the guest: nobody
  // listens there, so that it is an ICMP error, which repeats the datagram.
  bool GetsOut(const TapGuest& guest) {
    const std::string text = absl::StrCat("datagram ", ++datagrams_);
    const int before = CountOut();
    guest.Send(guest.gateway_mac(), kIpv4Type,
               Udp({.from = guest.ip(), .to = kInternet, .to_port = 7777}, text));
    return CountOut() > before && guest.WaitFor(text);
  }
  // Whether that is so in time.
  bool ComesToGetOut(const TapGuest& guest) {
    for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
      if (GetsOut(guest)) return true;
    }
    return false;
  }
  // Whether it is dropped, in time.
  bool ComesToStay(const TapGuest& guest) {
    for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
      if (!GetsOut(guest)) return true;
    }
    return false;
  }

  static std::string Conditions(Client& client) {
    const v1::GetNetworkResponse network = client.MustGetNetwork();
    return absl::StrJoin(network.conditions(), "\n", [](std::string* out, const auto& each) {
      absl::StrAppend(out, each.type(), ": ", each.message(), " | ", each.remedy());
    });
  }
  // What the doctor says of these checks; it sees the same rules by itself.
  static Exited Doctor(const Daemon& svnetd, std::vector<std::string> checks) {
    checks.insert(checks.begin(), {kSvnetctl, "--socket", svnetd.socket(), "doctor"});
    return RunProgramAs(kRoot, checks);
  }

  static bool Logs(const Daemon& svnetd, const std::string& text) {
    for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
      if (absl::StrContains(svnetd.log(), text)) return true;
    }
    return false;
  }
  // As text has it, in time: what is known of others' rules comes a moment later.
  static std::string WaitForConditions(Client& client, const std::string& text) {
    std::string conditions;
    for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
      conditions = Conditions(client);
      if (text.empty() ? conditions.empty() : absl::StrContains(conditions, text)) break;
    }
    return conditions;
  }

  Internet internet_;

 private:
  static int CountOut() {
    return std::stoi(
        Shell("nft list counter inet probe out | sed -n 's/.*packets \\([0-9]*\\) .*/\\1/p'"));
  }

  int datagrams_ = 0;
};

struct Dockers {
  std::string name;
  std::string program;
  std::string (*make)(const std::string& program);
  std::string table;

  friend std::ostream& operator<<(std::ostream& out, const Dockers& each) {
    return out << each.name;
  }
};

class DockerTest : public CoexistenceTest, public ::testing::WithParamInterface<Dockers> {
 protected:
  std::string Rules() const {
    return Shell(absl::StrCat(GetParam().program, "-save -t filter | ", kWithoutCounts));
  }
  // What dockerd does at its own start, and more: all is made anew.
  void Restart() const {
    Shell(absl::StrCat(GetParam().program, " -F; ", GetParam().program, " -X; ",
                       GetParam().make(GetParam().program)));
  }
};
INSTANTIATE_TEST_SUITE_P(
    All, DockerTest,
    ::testing::Values(
        Dockers{"Docker20Nft", "iptables-nft", Docker20, "table ip filter"},
        Dockers{"Docker28Nft", "iptables-nft", Docker28, "table ip filter"},
        Dockers{"Docker20Legacy", "iptables-legacy", Docker20, "iptables-legacy's table filter"},
        Dockers{"Docker28Legacy", "iptables-legacy", Docker28, "iptables-legacy's table filter"}),
    [](const auto& each) { return each.param.name; });

TEST_P(DockerTest, IsNamedAndNotTouched) {
  Shell(GetParam().make(GetParam().program));
  const std::string before = Rules();
  Daemon svnetd = Start();
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_FALSE(GetsOut(guest));
  EXPECT_THAT(WaitForConditions(root, "FOREIGN_FIREWALL"),
              AllOf(HasSubstr(absl::StrCat("FOREIGN_FIREWALL: Docker drops what guests send out: "
                                           "hook forward, chain FORWARD of ",
                                           GetParam().table, ", by its policy")),
                    HasSubstr("manage_foreign_firewalls = true"),
                    HasSubstr("-I DOCKER-USER -i svbr0 -j ACCEPT")));
  EXPECT_EQ(Rules(), before);
  const Exited doctor = Doctor(svnetd, {"docker", "legacy-iptables"});
  EXPECT_EQ(doctor.code, 1);
  EXPECT_THAT(doctor.out, HasSubstr("# or manage_foreign_firewalls = true in svnetd.toml"));
  EXPECT_TRUE(Logs(svnetd, "Docker drops what guests send out"));
}

TEST_P(DockerTest, LetsManagedGuestsThroughAlsoAfterARestartAndUntilCleanup) {
  Shell(GetParam().make(GetParam().program));
  const std::string before = Rules();
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(ComesToGetOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_EQ(Doctor(svnetd, {"docker", "legacy-iptables"}).code, 0);
  const std::string managed = Rules();
  // A container stays Docker's decision.
  EXPECT_THAT(managed, HasSubstr("-A DOCKER-USER -i svbr0 -o docker+ -m comment --comment "
                                 "svnet-svbr0 -j RETURN\n"
                                 "-A DOCKER-USER -i svbr0 -o br-+ -m comment --comment "
                                 "svnet-svbr0 -j RETURN\n"
                                 "-A DOCKER-USER -i svbr0 -m comment --comment svnet-svbr0 -j "
                                 "ACCEPT\n"
                                 "-A DOCKER-USER -o svbr0 -m comment --comment svnet-svbr0 -j "
                                 "ACCEPT\n"));
  Restart();
  EXPECT_TRUE(ComesToGetOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_EQ(Rules(), managed);
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(Rules(), before);
}

// iptables-legacy's lock, held for longer than any command takes and then left free now and
// then only: guests get through soon after, and a Cleanup meets a short hold without failing.
TEST_P(DockerTest, WaitsItsTurnForTheLockOfIptablesLegacy) {
  Shell(GetParam().make(GetParam().program));
  const UniqueFd lock(open("/run/xtables.lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(lock.valid());
  ASSERT_EQ(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  const bool legacy = GetParam().program == "iptables-legacy";
  if (legacy) {
    EXPECT_THAT(WaitForConditions(root, "somebody else changes the rules just now"),
                HasSubstr("FOREIGN_FIREWALL"));
  }
  flock(lock.get(), LOCK_UN);
  const absl::Time free = absl::Now();
  EXPECT_TRUE(ComesToGetOut(guest));
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

// Somebody who drops in DOCKER-USER means it: what they drop stays dropped.
TEST_P(DockerTest, AUsersOwnRulesComeFirst) {
  Shell(GetParam().make(GetParam().program));
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

// Packets that were counted stay counted.
TEST_P(DockerTest, KeepsCounts) {
  Shell(GetParam().make(GetParam().program));
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

TEST_P(DockerTest, ANetworkThatComesLaterIsDockersToo) {
  Shell(GetParam().make(GetParam().program));
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  root.MustCreate("vm1");
  EXPECT_EQ(WaitForConditions(root, ""), "");
  Shell(absl::StrCat(GetParam().program, " -A FORWARD -o backends -j DOCKER"));
  const std::string theirs = "-A DOCKER-USER -i svbr0 -o backends -m comment";
  for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
    Conditions(root);  // with iptables-legacy it would be ten seconds otherwise
    if (absl::StrContains(Rules(), theirs)) break;
  }
  EXPECT_THAT(Rules(), HasSubstr(theirs));
}

// svnetd works between every two commands with which Docker makes its rules anew, and a guest
// sends to containers all the time: no datagram gets there.
TEST_P(DockerTest, NoStepOfARestartOpensContainersToGuests) {
  internet_.Shell("sysctl -qw net.ipv4.icmp_ratelimit=0");  // each datagram gets its answer
  const char* const containers[] = {"docker0", "br-0123456789ab", "backends"};
  std::vector<std::string> commands = absl::StrSplit(GetParam().make(GetParam().program), ';');
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
  for (const std::string& command : commands) Shell(command);
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  ASSERT_TRUE(ComesToGetOut(guest));
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
  Shell(absl::StrCat(GetParam().program, " -F; ", GetParam().program, " -X"));
  bool has_place = false;
  for (const std::string& command : commands) {
    Shell(command);
    has_place = has_place || absl::StrContains(command, "-A FORWARD -j DOCKER-USER");
    Conditions(root);  // with iptables-legacy it would be ten seconds otherwise
    // Then its accepts are there.
    if (has_place) {
      EXPECT_TRUE(ComesToGetOut(guest)) << command << "\n" << Rules();
    }
    EXPECT_THAT(contained(), HasSubstr("packets 0 ")) << command << "\n" << Rules();
  }
  stop = true;
  sender.join();
  EXPECT_GT(sent, 0);
  EXPECT_THAT(contained(), HasSubstr("packets 0 "));
}

TEST_P(DockerTest, AReloadOfTheKeyIsInForceAtOnceAndARestartLeavesThem) {
  Shell(GetParam().make(GetParam().program));
  const std::string before = Rules();
  Daemon svnetd = Start();
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  svnetd.Reload(kManage);
  EXPECT_TRUE(ComesToGetOut(guest));
  const std::string managed = Rules();
  svnetd.Stop(SIGTERM);
  EXPECT_TRUE(GetsOut(guest));
  Daemon again = Start({}, kManage);
  Client root_again(again.socket(), kRoot);
  EXPECT_EQ(WaitForConditions(root_again, ""), "");
  EXPECT_EQ(Rules(), managed);
  again.Reload("");
  EXPECT_THAT(WaitForConditions(root_again, "Docker drops"), HasSubstr("Docker drops"));
  for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
    if (Rules() == before) break;
  }
  EXPECT_EQ(Rules(), before);
}

class UfwTest : public CoexistenceTest {
 protected:
  UfwTest() { Shell("ufw --force enable"); }
  ~UfwTest() override { Shell("ufw --force disable"); }

  static std::string Rules() {
    return Shell(absl::StrCat("iptables-save -t filter | ", kWithoutCounts));
  }

  UnpackedFirewalls unpacked_;
};

TEST_F(UfwTest, IsNamedAndNotTouched) {
  const std::string before = Rules();
  Daemon svnetd = Start();
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_FALSE(GetsOut(guest));
  EXPECT_THAT(WaitForConditions(root, "FOREIGN_FIREWALL"),
              AllOf(HasSubstr("ufw drops what guests send out: hook forward, chain FORWARD of "
                              "table ip filter, by its policy"),
                    HasSubstr("ufw route allow in on svbr0")));
  EXPECT_EQ(Rules(), before);
}

TEST_F(UfwTest, LetsManagedGuestsThroughAlsoAfterAReloadAndUntilCleanup) {
  const std::string before = Rules();
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(ComesToGetOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_EQ(Doctor(svnetd, {"ufw"}).code, 0);
  const std::string managed = Rules();
  EXPECT_THAT(managed, HasSubstr("-A ufw-user-forward -i svbr0 -m comment --comment svnet-svbr0"));
  Shell("ufw reload");
  EXPECT_TRUE(ComesToGetOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_EQ(Rules(), managed);
  // A rule of ufw's own is in force also where it came later.
  Shell("ufw route deny in on svbr0 to any port 7777 proto udp");
  EXPECT_TRUE(ComesToStay(guest));
  Shell("ufw --force route delete deny in on svbr0 to any port 7777 proto udp");
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(Rules(), before);
}

// What the doctor and the condition say to type helps.
TEST_F(UfwTest, TheRemedyHelps) {
  Daemon svnetd = Start();
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_FALSE(GetsOut(guest));
  Shell("ufw route allow in on svbr0 && ufw route allow out on svbr0");
  EXPECT_TRUE(ComesToGetOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
}

class FirewalldTest : public CoexistenceTest {
 protected:
  static std::string Rules() { return Shell("nft list table inet firewalld"); }

  // firewalld itself keeps the chains of a zone that has no interface any more, to which
  // nothing jumps, until it is reloaded.
  static void ExpectAsBefore(const std::string& before) {
    EXPECT_THAT(Rules(), Not(HasSubstr("svbr0")));
    Shell("firewall-cmd --complete-reload");
    EXPECT_EQ(Rules(), before);
  }
};

TEST_F(FirewalldTest, IsNamedAndNotTouched) {
  const Firewalld firewalld;
  const std::string before = Rules();
  Daemon svnetd = Start();
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_FALSE(GetsOut(guest));
  EXPECT_THAT(WaitForConditions(root, "FOREIGN_FIREWALL"),
              AllOf(HasSubstr("firewalld drops what guests send out: hook forward, chain "
                              "filter_FWD_public of table inet firewalld, by a rule"),
                    HasSubstr("--zone=trusted --add-interface=svbr0")));
  EXPECT_EQ(Rules(), before);
}

TEST_F(FirewalldTest, LetsManagedGuestsThroughAlsoAfterAReloadAndUntilCleanup) {
  const Firewalld firewalld;
  Shell("firewall-cmd --complete-reload");  // which has its own order of chains
  const std::string before = Rules();
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(ComesToGetOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_EQ(Shell("firewall-cmd --get-zone-of-interface=svbr0"), "svnet\n");
  EXPECT_EQ(Doctor(svnetd, {"firewalld"}).code, 0);
  for (const char* reload : {"firewall-cmd --reload", "firewall-cmd --complete-reload"}) {
    Shell(reload);
    EXPECT_TRUE(ComesToGetOut(guest)) << reload << "\n" << svnetd.log();
    EXPECT_EQ(WaitForConditions(root, ""), "");
  }
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  ExpectAsBefore(before);
  EXPECT_EQ(Shell("firewall-cmd --get-zone-of-interface=svbr0 2>&1 || true"), "no zone\n");
}

TEST_F(FirewalldTest, AnAdministratorsZoneStays) {
  const Firewalld firewalld;
  Shell("firewall-cmd --permanent --zone=svnet --add-interface=svbr0; firewall-cmd --reload");
  const std::string before = Rules();
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(ComesToGetOut(guest));
  EXPECT_EQ(WaitForConditions(root, ""), "");
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(Rules(), before);
}

TEST_F(FirewalldTest, AnotherZoneIsLeftAloneAndSaid) {
  const Firewalld firewalld;
  Shell("firewall-cmd --zone=dmz --add-interface=svbr0");
  const std::string before = Rules();
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_THAT(WaitForConditions(root, "ZONE_CONFLICT"),
              HasSubstr("svnetd cannot have its accepts there: firewalld says ZONE_CONFLICT: "
                        "'svbr0' already bound to 'dmz'"));
  EXPECT_FALSE(GetsOut(guest));
  EXPECT_EQ(Rules(), before);
}

TEST_F(FirewalldTest, AZoneThatIsNotKnownIsSaid) {
  const Firewalld firewalld(false);
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  root.MustCreate("vm1");
  EXPECT_THAT(WaitForConditions(root, "INVALID_ZONE"),
              HasSubstr("`firewall-cmd --reload` has firewalld read it"));
}

// A packet must pass them all.
TEST_F(FirewalldTest, AndDockerAndUfwTogether) {
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
  EXPECT_TRUE(ComesToGetOut(guest)) << Conditions(root);
  EXPECT_EQ(WaitForConditions(root, ""), "");
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(rules(), before);
  EXPECT_THAT(Rules(), Not(HasSubstr("svbr0")));
  Shell("ufw --force disable");
}

// What says nothing of a place for others is only named.
TEST_F(CoexistenceTest, WithoutAPlaceNothingIsAdded) {
  Shell("iptables-nft -P FORWARD DROP");
  const std::string before = Shell("iptables-nft -S");
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  root.MustCreate("vm1");
  EXPECT_THAT(WaitForConditions(root, "FOREIGN_FIREWALL"),
              AllOf(HasSubstr("iptables drops what guests send out"), Not(HasSubstr("manage"))));
  EXPECT_EQ(Shell("iptables-nft -S"), before);
}

TEST_F(CoexistenceTest, AWholeRulesetThatIsFlushedNeedsNothing) {
  Shell("sysctl -qw net.ipv4.ip_forward=1");  // as Docker does
  Shell(Docker28("iptables-nft"));
  Daemon svnetd = Start({}, kManage);
  Client root(svnetd.socket(), kRoot);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_TRUE(ComesToGetOut(guest));
  Shell("nft flush table ip filter; nft delete table ip filter");
  EXPECT_EQ(WaitForConditions(root, ""), "");
  EXPECT_TRUE(ComesToGetOut(guest));
  Shell(Docker28("iptables-nft"));
  EXPECT_TRUE(ComesToGetOut(guest));
}

// Without the key a start takes away what one with it has left.
TEST_F(CoexistenceTest, AStartWithoutTheKeyTakesThemAway) {
  Shell(Docker20("iptables-nft"));
  const std::string before = Shell("iptables-nft -S");
  {
    Daemon svnetd = Start({}, kManage);
    Client root(svnetd.socket(), kRoot);
    root.MustCreate("vm1");
    for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
      if (Shell("iptables-nft -S") != before) break;
    }
  }
  EXPECT_NE(Shell("iptables-nft -S"), before);
  Daemon svnetd = Start();
  Client root(svnetd.socket(), kRoot);
  EXPECT_THAT(WaitForConditions(root, "Docker drops"), HasSubstr("Docker drops"));
  for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
    if (Shell("iptables-nft -S") == before) break;
  }
  EXPECT_EQ(Shell("iptables-nft -S"), before);
}

}  // namespace
}  // namespace svnet::testing
