// What the host forwards between networks that are not svnetd's, and who decides over it.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/firewalls.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// A host with two networks besides: the internet, and one behind `docker0`, as a container's.
class ForwardingTest : public SystemTest {
 protected:
  ForwardingTest() {
    Shell(
        "sysctl -qw net.ipv4.ip_forward=0; ip link add docker0 type bridge;"
        "ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up;"
        "unshare --net sleep 300 > /dev/null 2>&1 & echo $! > " +
        folder() + "/container");
    container_ = Shell("cat " + folder() + "/container");
    container_.pop_back();
    Shell(absl::StrCat(
        "until [[ $(readlink /proc/", container_,
        "/ns/net) != $(readlink /proc/self/ns/net) ]]; do :; done;"
        "ip link add cont0 type veth peer name eth0 netns ",
        container_, "; ip link set cont0 master docker0 up; nsenter --net=/proc/", container_,
        "/ns/net bash -ec 'ip address add 172.17.0.2/16 dev eth0; ip link set eth0 up;"
        "ip route add default via 172.17.0.1'"));
    internet_.Shell("ip route add 172.17.0.0/16 via 203.0.113.2");
  }
  ~ForwardingTest() override { Shell("kill " + container_); }

  // Whether the container reaches the internet by the host.
  bool ContainerGetsOut() const {
    return ShellExitCode(absl::StrCat("nsenter --net=/proc/", container_,
                                      "/ns/net ping -c 1 -W 0.3 203.0.113.1")) == 0;
  }
  bool ContainerComesToGetOut() const {
    return Eventually([&] { return ContainerGetsOut(); });
  }
  static bool IsClosed() {
    return ShellExitCode("nft list chain inet " + RulesTable() + " forward_others | grep drop") ==
           0;
  }
  static bool ComesToOpen() {
    return Eventually([] { return !IsClosed(); });
  }
  static std::string Forwarding() { return Shell("cat /proc/sys/net/ipv4/ip_forward"); }
  static std::string Conditions(Client& client) {
    std::string text;
    const v1::GetNetworkResponse network = client.MustGetNetwork();
    for (const auto& each : network.conditions()) absl::StrAppend(&text, each.type(), "\n");
    return text;
  }

 private:
  Internet internet_;
  std::string container_;
};

TEST_F(ForwardingTest, IsTurnedOnWithTheFirstLeaseAndForGuestsAlone) {
  Daemon svnetd = Start();
  EXPECT_EQ(Forwarding(), "0\n");
  Client root(svnetd.socket(), 0);
  const TapGuest guest(root.MustCreate("vm1"));
  EXPECT_EQ(Forwarding(), "1\n");
  EXPECT_TRUE(IsClosed());
  EXPECT_TRUE(guest.Pings(Ipv4Address(0xcb007101)));
  EXPECT_FALSE(ContainerGetsOut());
  EXPECT_GE(Counter("inet", "other_forwarding"), 1);
  EXPECT_THAT(svnetd.log(), HasSubstr("net.ipv4.ip_forward was 0 and is 1"));
  EXPECT_EQ(Conditions(root), "");
  Shell("nft flush ruleset");
  EXPECT_TRUE(Eventually([] { return IsClosed(); }));
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(Forwarding(), "0\n");
  EXPECT_THAT(svnetd.log(), HasSubstr("net.ipv4.ip_forward is 0 again"));
}

TEST_F(ForwardingTest, IsClosedAgainAfterAFlushOnAnOlderKernel) {
  const OlderKernel kernel;
  Daemon svnetd = Start();
  Client(svnetd.socket(), 0).MustCreate("vm1");
  ASSERT_TRUE(IsClosed());
  Shell("nft flush ruleset");
  EXPECT_TRUE(Eventually([] { return IsClosed(); }));
}

// The chain is the record: whoever comes later knows by it.
TEST_F(ForwardingTest, IsKnownAfterARestartAndAKill) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    {
      Daemon svnetd = Start();
      Client(svnetd.socket(), 0).MustCreate("vm1");
      svnetd.Stop(signal);
    }
    EXPECT_TRUE(IsClosed());
    EXPECT_FALSE(ContainerGetsOut());
    Daemon again = Start();
    EXPECT_TRUE(IsClosed());
    Client(again.socket(), 0).MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
    EXPECT_EQ(Forwarding(), "0\n");
  }
}

TEST_F(ForwardingTest, IsLeftAsItIsIfItWasOnBefore) {
  Shell("sysctl -qw net.ipv4.ip_forward=1");
  Daemon svnetd = Start();
  Client root(svnetd.socket(), 0);
  root.MustCreate("vm1");
  EXPECT_FALSE(IsClosed());
  EXPECT_TRUE(ContainerGetsOut());
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(Forwarding(), "1\n");
  EXPECT_THAT(svnetd.log(), Not(HasSubstr("ip_forward")));
}

// Whoever is first: containers keep their network.
TEST_F(ForwardingTest, DockerAfterTheFirstLeaseDecides) {
  Daemon svnetd = Start();
  Client root(svnetd.socket(), 0);
  root.MustCreate("vm1");
  EXPECT_FALSE(ContainerGetsOut());
  Shell(Docker28("iptables-nft"));
  EXPECT_TRUE(ContainerComesToGetOut());
  EXPECT_TRUE(ComesToOpen());
  // Whose that is can be told when the rest of Docker's chains is there, too.
  EXPECT_THAT(svnetd.log(), ContainsRegex("no longer dropped: (Docker|iptables) .chain FORWARD"));
  EXPECT_THAT(Conditions(root), Not(HasSubstr("FORWARDING_FOR_ALL")));
  root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(Forwarding(), "1\n");  // Docker needs it
  EXPECT_TRUE(ContainerGetsOut());
}

TEST_F(ForwardingTest, DockerBeforeTheFirstLeaseDecides) {
  for (const char* program : {"iptables-nft", "iptables-legacy"}) {
    Shell(absl::StrCat("sysctl -qw net.ipv4.ip_forward=0; ", Docker28(program)));
    {
      Daemon svnetd = Start();
      Client root(svnetd.socket(), 0);
      root.MustCreate("vm1");
      EXPECT_TRUE(ContainerComesToGetOut()) << program;
      EXPECT_TRUE(ComesToOpen()) << program;
      svnetd.Stop(SIGKILL);
    }
    Daemon again = Start();
    EXPECT_FALSE(IsClosed());
    EXPECT_TRUE(ContainerGetsOut()) << program;
    Client(again.socket(), 0).MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
    Shell(absl::StrCat(program, " -P FORWARD ACCEPT; ", program, " -F; ", program, " -X"));
  }
}

// A policy alone filters, and a rule alone; a chain that is empty does not.
TEST_F(ForwardingTest, AnyFilterOfWhatIsForwardedDecides) {
  Daemon svnetd = Start();
  Client root(svnetd.socket(), 0);
  root.MustCreate("vm1");
  Shell(
      "nft 'add table inet theirs; add chain inet theirs f { type filter hook forward priority 0; "
      "}'");
  Shell(
      "nft 'add chain inet theirs i { type filter hook input priority 0; policy accept; }; add "
      "rule "
      "inet theirs i tcp dport 9 drop'");
  EXPECT_FALSE(ContainerGetsOut());
  EXPECT_TRUE(IsClosed());
  Shell("nft add rule inet theirs f tcp dport 9 drop");
  EXPECT_TRUE(ContainerComesToGetOut());
  EXPECT_TRUE(ComesToOpen());
  // Nobody filters any more: it is said.
  Shell("nft delete table inet theirs");
  const auto is_said = [&] { return absl::StrContains(Conditions(root), "FORWARDING_FOR_ALL"); };
  EXPECT_TRUE(Eventually(is_said));
  // Who turns it off has it turned on again for guests alone.
  Shell("sysctl -qw net.ipv4.ip_forward=0");
  EXPECT_TRUE(Eventually([] { return IsClosed(); }));
  EXPECT_FALSE(ContainerGetsOut());
  EXPECT_TRUE(Eventually([&] { return !is_said(); }));
}

// --- Who on the host reaches guests ---

class LocalAccessTest : public WithAllGuests<SystemTest> {
 protected:
  static constexpr gid_t kAdmins = 7001;

  // Whether a datagram of that user's comes to the guest.
  static bool Reaches(const RunAs& who, const TapGuest& guest) {
    const std::string text = absl::StrCat("from ", who.uid, " ", who.gid);
    RunProgramAs(
        who, {"bash", "-c",
              absl::StrCat("echo '", text, "' > /dev/udp/", guest.lease_ip().ToString(), "/9999")});
    return guest.HasReceived(text);
  }
};
INSTANTIATE_TEST_SUITE_P(Guests, LocalAccessTest, ::testing::ValuesIn(kAllGuests), NameOfGuests);

TEST_P(LocalAccessTest, IsEverybodysByDefault) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const TapGuest guest(MustCreateGuest(alice, "vm1"));
  EXPECT_TRUE(Reaches(Member(kBob), guest));
}

TEST_P(LocalAccessTest, IsTheOwnersRootsAndAdministrators) {
  Daemon svnetd = Start({"--local-access=owner", absl::StrCat("--admin-groups=", kAdmins)});
  Client alice(svnetd.socket(), Member(kAlice));
  Client bob(svnetd.socket(), Member(kBob));
  const TapGuest guest(MustCreateGuest(alice, "vm1"));
  const TapGuest bobs(MustCreateGuest(bob, "vm2"));
  EXPECT_TRUE(Reaches(Member(kAlice), guest));
  EXPECT_TRUE(Reaches({.uid = 0, .gid = 0, .groups = {}}, guest));
  EXPECT_TRUE(Reaches({.uid = 1005, .gid = kAdmins, .groups = {}}, guest));
  EXPECT_FALSE(Reaches(Member(kBob), guest));
  EXPECT_FALSE(Reaches(Member(kAlice), bobs));
  // One group of several is not the socket's.
  EXPECT_FALSE(Reaches({.uid = 1005, .gid = 1005, .groups = {kAdmins}}, guest));
  EXPECT_GE(Counter("inet", "local_denied"), 3);
  // What guests begin is answered, by whoever has the port.
  EXPECT_TRUE(guest.Pings(guest.gateway()));
  // Nothing is left of it for the next guest of the address.
  EXPECT_TRUE(alice.MustRemove("svvm1eth0"));
  EXPECT_EQ(Shell("nft list set inet " + RulesTable() + " local_users | grep -c ' . 1000' || true"),
            "0\n");
}

}  // namespace
}  // namespace svnet::testing
