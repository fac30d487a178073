// Somebody changes things underneath: they are put right, and the guest goes on.
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/kernel/link_monitor.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kernel_count.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Change {
  std::string name;
  std::string command;
  std::string said;
  bool of_tap = false;
  std::vector<NetworkKind> kinds = kBothKinds;
};

const std::vector<Change> kChanges = {
    {"FlushRuleset", "nft flush ruleset", "the nftables rules were changed"},
    {"DeleteTable", "nft delete table inet svnet-svbr0", "the nftables rules were changed"},
    {"DeleteBridgeTable", "nft delete table bridge svnet-svbr0", "the nftables rules were changed"},
    {"DeleteElements", "nft flush set bridge svnet-svbr0 addresses",
     "the nftables rules were changed", false, kBridgeOnly},
    {"DeleteOwners", "nft flush map inet svnet-svbr0 owner_of", "the nftables rules were changed"},
    {"AddRule", "nft insert rule inet svnet-svbr0 forward drop", "the nftables rules were changed"},
    {"DeleteBridge", "ip link delete svbr0", "the bridge was gone"},
    {"BridgeDown", "ip link set svbr0 down", "the bridge was down"},
    {"BridgeMtu", "ip link set svbr0 mtu 900", "the bridge had another MTU"},
    {"BridgeMac", "ip link set svbr0 address 02:00:00:00:55:01", "the bridge had another MAC"},
    {"BridgeAddress", "ip address delete 172.30.0.1/24 dev svbr0",
     "the bridge had lost its address"},
    {"BridgeStp", "ip link set svbr0 type bridge stp_state 1", "the bridge had STP"},
    {"BridgeIpv6", "echo 0 > /proc/sys/net/ipv6/conf/svbr0/disable_ipv6", "the bridge had IPv6",
     false, kBridgeOnly},
    {"BridgeRenamed", "ip link set svbr0 name other", "the bridge had another name"},
    {"Forwarding", "echo 0 > /proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward was 0"},
    {"TapDown", "ip link set svvm1eth0 down", "it was down", true},
    {"TapMtu", "ip link set svvm1eth0 mtu 900", "it had MTU 900", true},
    {"TapGroup", "ip link set svvm1eth0 group 0", "it was in link group 0", true},
    {"TapAlias", "ip link set svvm1eth0 alias x", "it had another alias", true},
    {"TapName", "ip link set svvm1eth0 name other", "it was renamed to other", true},
    {"PortOff", "ip link set svvm1eth0 nomaster", "it was off the bridge", true, kBridgeOnly},
    {"PortLearns", "bridge link set dev svvm1eth0 learning on", "its port had other settings", true,
     kBridgeOnly},
    {"PortGroups", "ip link set svvm1eth0 type bridge_slave group_fwd_mask 0",
     "its port had other settings", true, kBridgeOnly},
    {"Place", "bridge fdb delete 02:29:a3:2f:41:c8 dev svvm1eth0 master",
     "its MAC had lost its place", true, kBridgeOnly},
    // The kernel says that the MAC is gone, then that the link is down: svnetd says the first of
    // them that it hears of.
    {"TapDownAndUp", "printf 'link set svvm1eth0 down\\nlink set svvm1eth0 up\\n' | ip -batch -",
     "", true, kRoutedOnly},
    {"OnABridge", "ip link set svvm1eth0 master svbr0", "it was on a bridge", true, kRoutedOnly},
    {"Route", "ip route delete 172.30.0.2", "it had lost its route", true, kRoutedOnly},
    {"RouteReplaced", "ip route replace 172.30.0.2 dev up0", "it had lost its route", true,
     kRoutedOnly},
    {"Neighbour", "ip neighbour delete 172.30.0.2 dev svvm1eth0", "its guest's MAC was changed",
     true, kRoutedOnly},
    {"NeighbourReplaced",
     "ip neighbour replace 172.30.0.2 lladdr 02:00:00:00:00:09 dev svvm1eth0 nud permanent",
     "its guest's MAC was changed", true, kRoutedOnly},
    {"ProxyArp", "echo 0 > /proc/sys/net/ipv4/conf/svvm1eth0/proxy_arp", "it had other settings",
     true, kRoutedOnly},
    {"ReversePath", "echo 0 > /proc/sys/net/ipv4/conf/svvm1eth0/rp_filter", "it had other settings",
     true, kRoutedOnly},
};

class RepairTest : public SystemTest, public ::testing::WithParamInterface<RowOnKind<Change>> {
 protected:
  Guests guests() const override { return {GetParam().kind}; }
};
INSTANTIATE_TEST_SUITE_P(Changes, RepairTest, ::testing::ValuesIn(OnTheirKinds(kChanges)),
                         [](const auto& each) { return each.param.Name(); });

TEST_P(RepairTest, IsPutRightAndSaid) {
  const OlderKernel kernel;
  const Internet internet;
  const Change& change = GetParam().row;
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  const TapGuest guest(tap);
  ASSERT_TRUE(guest.Pings(Ipv4Address(0xcb007101)));
  Watcher watcher(alice);
  watcher.WaitFor(v1::TAP_EVENT_TYPE_ADDED, "svvm1eth0");
  for (int round = 0; round < 2; ++round) {
    Shell(change.command);
    v1::TapEvent event;
    do {
      event = watcher.WaitFor(v1::TAP_EVENT_TYPE_REPAIRED);
    } while (
        event.type() == v1::TAP_EVENT_TYPE_REPAIRED &&
        (event.has_tap() != change.of_tap || !absl::StrContains(event.message(), change.said)));
    EXPECT_TRUE(guest.Pings(Ipv4Address(0xcb007101))) << "round " << round;
  }
  EXPECT_EQ(CountKernel(), CountOfLeases(1, network_kind()));
  EXPECT_THAT(alice.MustGetNetwork().conditions(), IsEmpty());
  EXPECT_THAT(svnetd.log(), HasSubstr(change.said));
}

class KeepingTest : public OnEachKind<SystemTest> {};
INSTANTIATE_TEST_SUITE_P(Kinds, KeepingTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(KeepingTest, ATapThatIsDeletedEndsItsLeaseForEverybody) {
  Daemon svnetd = Start({"--subnet=10.9.9.4/30"});
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  Watcher watcher(alice);
  Shell("ip link delete svvm1eth0");
  EXPECT_THAT(watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, "svvm1eth0").message(),
              HasSubstr("another program has deleted the TAP"));
  EXPECT_EQ(CountKernel(), CountOfLeases(0));
  EXPECT_EQ(alice.MustCreate("vm2").guest_ip(), "10.9.9.6");
}

TEST_P(KeepingTest, SomebodyWhoNeverStopsIsLeftAloneAndSaidSo) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  Shell("for i in $(seq 300); do echo link set svvm1eth0 down; done | ip -batch -");
  // What it has not seen one by one it need not repair one by one.
  int rounds = 0;
  const auto degraded = [&] {
    const v1::GetNetworkResponse network = alice.MustGetNetwork();
    for (const auto& condition : network.conditions()) {
      if (condition.type() == "DEGRADED") return true;
    }
    return false;
  };
  while (!degraded() && ++rounds < 500) Shell("ip link set svvm1eth0 down");
  EXPECT_LT(rounds, 500);
  // Others are served.
  EXPECT_TRUE(alice.Create("vm2").status.ok());
}

TEST_P(KeepingTest, AForeignLinkAndAnotherBridgesTapAreNotTouched) {
  Shell(
      "ip tuntap add svvm9eth0 mode tap user 1000; ip link set svvm9eth0 alias "
      "'svnet1 bridge=svbr9 vm=vm9 iface=eth0 ip=172.30.0.9 mac=02:00:00:00:00:09 queues=1 "
      "lifetime=persistent'; ip link add other0 type veth peer name other1");
  const std::string before = NetworkPicture();
  {
    Daemon svnetd = Start();
    Client alice(svnetd.socket(), Member(kAlice));
    alice.MustCreate("vm1");
    Shell("ip link set svvm9eth0 mtu 1400; ip link set svvm9eth0 mtu 1500");
    EXPECT_EQ(Client(svnetd.socket(), 0).MustList().size(), 1u);
    EXPECT_EQ(Client(svnetd.socket(), 0).MustCleanup(v1::CLEANUP_SCOPE_NETWORK).taps_removed(), 1u);
  }
  EXPECT_EQ(NetworkPicture(), before);
}

// Two daemons on one bridge would undo each other's work.
TEST_P(KeepingTest, ASecondSvnetdOfABridgeIsRefused) {
  Daemon first = Start();
  const TemporaryFolder elsewhere;
  Daemon second(elsewhere.path(), {kSocketGroupFlag, KindFlag(network_kind())});
  EXPECT_EQ(second.exit_code(), 1);
  EXPECT_THAT(second.log(), HasSubstr("another svnetd has bridge svbr0"));
  Daemon third(elsewhere.path(), {kSocketGroupFlag, KindFlag(network_kind()), "--bridge=svbr1",
                                  "--subnet=172.31.0.0/24"});
  EXPECT_TRUE(third.running()) << third.log();
}

class RepairTimeTest : public SystemTest {
 protected:
  static void SetDown(const std::string& link) {
    const UniqueFd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request = {};
    std::strncpy(request.ifr_name, link.c_str(), IFNAMSIZ - 1);
    ASSERT_EQ(ioctl(any.get(), SIOCSIFFLAGS, &request), 0);
  }
  static void Report(const std::string& what, std::vector<absl::Duration> times) {
    std::sort(times.begin(), times.end());
    std::cout << what << ": median " << absl::FormatDuration(times[times.size() / 2])
              << ", worst of " << times.size() << " " << absl::FormatDuration(times.back()) << "\n";
  }
};

// Reported, not judged: how long after the change a listener hears of it, and how long
// after that the TAP is up again.
TEST_F(RepairTimeTest, OfATapThatIsSetDown) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  Watcher watcher(alice);
  LinkMonitor monitor = LinkMonitor::Open({Ipv4Prefix::Parse("172.30.0.0/24").value()}).value();
  std::vector<absl::Duration> heard;
  std::vector<absl::Duration> repaired;
  for (int i = 0; i < 50; ++i) {
    monitor.Take().status().IgnoreError();
    const absl::Time start = absl::Now();
    SetDown("svvm1eth0");
    pollfd wait = {.fd = monitor.fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&wait, 1, 20'000), 1);
    heard.push_back(absl::Now() - start);
    watcher.WaitFor(v1::TAP_EVENT_TYPE_REPAIRED, "svvm1eth0");
    ASSERT_FALSE(HasFailure()) << "round " << i << "\n" << svnetd.log();
    repaired.push_back(absl::Now() - start);
  }
  Report("from the change to its notification", heard);
  Report("from the change to the REPAIRED event at a client", repaired);
}

// The same for the rules, from the end of the command that takes them away.
TEST_F(RepairTimeTest, OfRulesThatAreFlushed) {
  const OlderKernel kernel;
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  Watcher watcher(alice);
  std::vector<absl::Duration> commands;
  std::vector<absl::Duration> repaired;
  for (int i = 0; i < 50; ++i) {
    const absl::Time start = absl::Now();
    Shell("nft flush ruleset");
    commands.push_back(absl::Now() - start);
    watcher.WaitFor(v1::TAP_EVENT_TYPE_REPAIRED);
    repaired.push_back(absl::Now() - start);
  }
  Report("the command itself", commands);
  Report("from its start to the REPAIRED event at a client", repaired);
}

}  // namespace
}  // namespace svnet::testing
