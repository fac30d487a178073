// The network around the leases: what is made, what is taken away, what goes wrong.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kinds.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Property;

using Condition = v1::GetNetworkResponse::Condition;

class NetworkTest : public SystemTest {
 protected:
  // A host with an uplink, a route and somebody else's rules.
  static void Furnish() {
    Shell(
        "ip link add up0 mtu 1400 type veth peer name up1 mtu 1400;"
        "ip address add 192.0.2.2/24 dev up0; ip link set up0 up; ip link set up1 up;"
        "ip route add default via 192.0.2.1;"
        "nft 'add table ip others; add chain ip others c { type filter hook forward priority 0; "
        "}'");
  }
};

std::string Forwarding() { return Shell("cat /proc/sys/net/ipv4/ip_forward"); }

// In a container /proc/sys may be read-only, with everything set before.
TEST_F(NetworkTest, WritesNoSettingThatIsAsItShouldBe) {
  Furnish();
  Shell(
      "sysctl -qw net.ipv4.ip_forward=1; sysctl -qw net.ipv6.conf.default.disable_ipv6=1;"
      "mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys");
  const absl::Cleanup unmount = [] { Shell("umount /proc/sys"); };
  ASSERT_NE(ShellExitCode("echo 1 > /proc/sys/net/ipv4/ip_forward"), 0);
  Daemon svnetd = Start();
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  EXPECT_EQ(Shell("cat /proc/sys/net/ipv6/conf/svbr0/disable_ipv6"), "1\n");
}

TEST_F(NetworkTest, CleanupOfTheNetworkLeavesWhatWasThereBefore) {
  Furnish();
  Shell("sysctl -qw net.ipv4.ip_forward=0");
  const std::string before = NetworkPicture();
  Daemon svnetd = Start();
  EXPECT_EQ(NetworkPicture(), before);
  Client alice(svnetd.socket(), Member(kAlice));
  Client root(svnetd.socket(), 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(alice.MustCreate(absl::StrCat("vm", i)).mtu(), 1400u);
  EXPECT_NE(NetworkPicture(), before);
  EXPECT_EQ(Forwarding(), "1\n");
  const v1::CleanupResponse done = root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(done.taps_removed(), 5u);
  EXPECT_TRUE(done.bridge_removed());
  EXPECT_TRUE(done.nat_removed());
  EXPECT_EQ(NetworkPicture(), before);
  EXPECT_EQ(Forwarding(), "0\n");
  const v1::CleanupResponse again = root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(again.taps_removed(), 0u);
  EXPECT_FALSE(again.bridge_removed());
  EXPECT_FALSE(again.nat_removed());
  EXPECT_EQ(alice.MustCreate("vm1").tap_name(), "svvm1eth0");
}

// Fault 5.
TEST_F(NetworkTest, ABridgeThatStoodBeforeIsUsedAndStays) {
  Furnish();
  Shell("ip link add svbr0 type bridge; ip link set svbr0 up; ip link set svbr0 down");
  const std::string before = NetworkPicture();
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  EXPECT_THAT(Shell("ip address show svbr0"), HasSubstr("inet 172.30.0.1/24"));
  EXPECT_THAT(Shell("ip -o link show svbr0"), HasSubstr(",UP"));
  const v1::CleanupResponse done =
      Client(svnetd.socket(), 0).MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_FALSE(done.bridge_removed());
  EXPECT_EQ(NetworkPicture(), before);
}

TEST_F(NetworkTest, CleanupOfTheNetworkIsForAdministrators) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  v1::CleanupRequest request;
  request.set_scope(v1::CLEANUP_SCOPE_NETWORK);
  grpc::ClientContext context;
  v1::CleanupResponse response;
  const grpc::Status status = alice.stub().Cleanup(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ReasonOf(status), "PERMISSION_DENIED");
  EXPECT_EQ(alice.MustList().size(), 1u);
}

// A guest's place without a guest: a port of the bridge in a namespace of its own.
class GuestPlace {
 public:
  GuestPlace() {
    Shell(
        "ip netns add guest; ip link add port type veth peer name eth0 netns guest;"
        "ip link set port master svbr0 up; ip -n guest address add 172.30.0.99/24 dev eth0;"
        "ip -n guest link set eth0 up; ip -n guest route add default via 172.30.0.1");
  }
  ~GuestPlace() { Shell("ip netns delete guest"); }
};

TEST_F(NetworkTest, GuestsGetOutAndNobodyGetsInUnasked) {
  const Internet internet;
  Daemon svnetd = Start();
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const GuestPlace guest;
  EXPECT_EQ(ShellExitCode("ip netns exec guest ping -c 1 -w 5 203.0.113.1"), 0);
  EXPECT_EQ(ShellExitCode("ping -c 1 -w 5 172.30.0.99"), 0);  // the host may
  internet.Shell("ip route add 172.30.0.0/24 via 203.0.113.2");
  EXPECT_NE(internet.ShellExitCode("ping -c 1 -w 2 172.30.0.99"), 0);
  // It is the rules that keep it out; svnetd would put them right.
  svnetd.Stop(SIGKILL);
  Shell("nft delete table inet " + RulesTable());
  EXPECT_EQ(internet.ShellExitCode("ping -c 1 -w 5 172.30.0.99"), 0);
}

// Fault 6: another default route, and two of them, need nothing.
TEST_F(NetworkTest, GuestsGetOutByWhateverLinkLeadsOut) {
  Internet first;
  Daemon svnetd = Start();
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const GuestPlace guest;
  Shell("ip link set up0 name up9; ip route add 0.0.0.0/0 dev lo metric 500");
  Shell("ip route replace default via 203.0.113.1 dev up9 metric 5");
  EXPECT_EQ(ShellExitCode("ip netns exec guest ping -c 1 -w 5 203.0.113.1"), 0);
}

// Fault 4: what fails in the middle says so, with the code of the TypeScript NetworkManager and
// the kernel's words, and leaves nothing behind.
TEST_F(NetworkTest, ALinkOfTheBridgesNameThatIsNoBridge) {
  Shell("ip link add svbr0 type veth peer name elsewhere");
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const std::string before = NetworkPicture();
  const grpc::Status status = alice.Create("vm1").status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(status), "NOT_A_BRIDGE");
  EXPECT_THAT(status.error_details(), HasSubstr("BRIDGE_SETUP_FAILED"));
  EXPECT_EQ(NetworkPicture(), before);
  EXPECT_THAT(alice.MustGetNetwork().conditions(),
              ElementsAre(Property(&Condition::type, "NOT_A_BRIDGE")));
}

TEST_F(NetworkTest, NoTunDevice) {
  Daemon svnetd(folder(), {kSocketGroupFlag}, "",
                {"unshare", "-m", "sh", "-c",
                 "umount -l /dev/net; mount -t tmpfs t /dev/net; exec \"$@\"", "-"});
  Client alice(svnetd.socket(), Member(kAlice));
  const std::string before = NetworkPicture();
  const grpc::Status status = alice.Create("vm1").status;
  EXPECT_EQ(ReasonOf(status), "TAP_CREATE_FAILED");
  EXPECT_THAT(status.error_message(), HasSubstr("/dev/net/tun: No such file or directory"));
  EXPECT_EQ(NetworkPicture(), before);
}

TEST_F(NetworkTest, NoRightToChangeTheNetwork) {
  const std::string before = NetworkPicture();
  Daemon svnetd(folder(), {kSocketGroupFlag}, "",
                {"setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"});
  EXPECT_EQ(svnetd.exit_code(), 1);
  EXPECT_THAT(svnetd.log(), HasSubstr("Operation not permitted"));
  EXPECT_THAT(svnetd.log(), HasSubstr("CAP_NET_ADMIN"));
  EXPECT_EQ(NetworkPicture(), before);
}

TEST_F(NetworkTest, NoRightToTurnForwardingOn) {
  Daemon svnetd(folder(), {kSocketGroupFlag}, "",
                {"unshare", "-m", "sh", "-c",
                 "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; "
                 "exec \"$@\"",
                 "-"});
  Client alice(svnetd.socket(), Member(kAlice));
  const std::string before = NetworkPicture();
  const grpc::Status status = alice.Create("vm1").status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(ReasonOf(status), "BRIDGE_SETUP_FAILED");
  EXPECT_THAT(status.error_message(), HasSubstr("Read-only file system"));
  EXPECT_EQ(NetworkPicture(), before);
}

TEST_F(NetworkTest, NftablesRefuses) {
  // A table of that name which belongs to another process: nobody else may replace it.
  Shell("mkfifo " + folder() + "/in " + folder() + "/out");
  const pid_t owner = fork();
  if (owner == 0) {
    execlp("bash", "bash", "-c",
           absl::StrCat("exec nft -i < ", folder(), "/in > ", folder(), "/out 2>&1").c_str(),
           nullptr);
    _exit(1);
  }
  Shell("exec 3> " + folder() + "/in 4< " + folder() +
        "/out;"
        "echo 'add table inet svnet-svbr0 { flags owner; }' >&3; echo 'list tables' >&3;"
        "grep -q -m1 svnet-svbr0 <&4; sleep infinity >&3 2>/dev/null </dev/null & "
        "echo $! > " +
        folder() + "/holder");
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  const std::string before = NetworkPicture();
  const grpc::Status status = alice.Create("vm1").status;
  EXPECT_EQ(ReasonOf(status), "BRIDGE_SETUP_FAILED");
  EXPECT_THAT(status.error_message(), HasSubstr("nftables: "));
  EXPECT_THAT(status.error_message(), HasSubstr("Operation not permitted"));
  EXPECT_LT(status.error_message().size(), 400u);
  EXPECT_EQ(NetworkPicture(), before);
  Shell("kill $(cat " + folder() + "/holder)");
  EXPECT_EQ(waitpid(owner, nullptr, 0), owner);
  EXPECT_TRUE(alice.Create("vm1").status.ok());
}

struct ConflictCase {
  std::string what;
  std::string setup;
  std::string undo;
  std::string named;

  friend std::ostream& operator<<(std::ostream& out, const ConflictCase& each) {
    return out << each.what;
  }
};

class ConflictTest : public NetworkTest, public ::testing::WithParamInterface<ConflictCase> {};
INSTANTIATE_TEST_SUITE_P(
    Conflicts, ConflictTest,
    ::testing::Values(ConflictCase{"Address", "ip address add 172.30.0.9/24 dev up0",
                                   "ip address delete 172.30.0.9/24 dev up0", "up0"},
                      ConflictCase{"LargerRoute", "ip route add 172.16.0.0/12 dev up0",
                                   "ip route delete 172.16.0.0/12", "172.16.0.0/12 by link up0"},
                      ConflictCase{"SmallerRoute", "ip route add 172.30.0.128/25 dev up0",
                                   "ip route delete 172.30.0.128/25", "up0"},
                      ConflictCase{"RouteOfAnotherTable",
                                   "ip route add 172.30.0.0/24 dev up0 table 77",
                                   "ip route delete 172.30.0.0/24 table 77", "up0"},
                      ConflictCase{"GuestsRoute", "ip route add 172.30.0.3/32 dev up0",
                                   "ip route delete 172.30.0.3/32 dev up0", "up0"}),
    [](const auto& each) { return each.param.what; });

TEST_P(ConflictTest, IsSaidAtStartAndTriedAgain) {
  Furnish();
  Shell(GetParam().setup);
  const std::string before = NetworkPicture();
  Daemon svnetd = Start();
  ASSERT_TRUE(svnetd.running()) << svnetd.log();
  EXPECT_THAT(svnetd.log(), HasSubstr("172.30.0.0/24 overlaps"));
  EXPECT_THAT(svnetd.log(), HasSubstr(GetParam().named));
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::GetNetworkResponse network = alice.MustGetNetwork();
  ASSERT_EQ(network.conditions_size(), 1);
  EXPECT_EQ(network.conditions(0).type(), "NETWORK_NOT_STARTED");
  EXPECT_THAT(network.conditions(0).message(), HasSubstr(GetParam().named));
  const grpc::Status refused = alice.Create("vm1").status;
  EXPECT_EQ(ReasonOf(refused), "SUBNET_CONFLICT");
  EXPECT_THAT(refused.error_message(), HasSubstr("it tries again by itself"));
  EXPECT_EQ(NetworkPicture(), before);
  Shell(GetParam().undo);
  EXPECT_TRUE(Eventually([&] { return alice.MustGetNetwork().conditions_size() == 0; }));
  alice.MustCreate("vm1");
  EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
}

TEST_F(NetworkTest, SvnetdThatWaitsForItsNetworkStopsAsUsual) {
  Furnish();
  Shell("ip address add 172.30.0.9/24 dev up0");
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  EXPECT_EQ(alice.MustGetNetwork().conditions_size(), 1);
  EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
}

TEST_P(ConflictTest, IsRefusedWhenTheBridgeIsFirstMade) {
  Furnish();
  Daemon svnetd = Start();
  Shell(GetParam().setup);
  const std::string before = NetworkPicture();
  Client alice(svnetd.socket(), Member(kAlice));
  const grpc::Status status = alice.Create("vm1").status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(status), "SUBNET_CONFLICT");
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().named));
  EXPECT_EQ(NetworkPicture(), before);
}

bool HasCondition(const v1::GetNetworkResponse& network, const std::string& type) {
  return std::any_of(network.conditions().begin(), network.conditions().end(),
                     [&](const Condition& each) { return each.type() == type; });
}

// Guests that have a network keep it, whoever comes to use their addresses.
TEST_P(ConflictTest, DoesNotKeepGuestsFromABridgeThatWasDeleted) {
  const auto expect_mended = [](Daemon& svnetd, const std::string& next_vm) {
    Client alice(svnetd.socket(), Member(kAlice));
    EXPECT_TRUE(Eventually([&] {
      const v1::GetNetworkResponse network = alice.MustGetNetwork();
      return HasCondition(network, "SUBNET_CONFLICT") &&
             !HasCondition(network, "NETWORK_NOT_STARTED") &&
             ShellExitCode("ip link show dev svbr0") == 0;
    })) << svnetd.log();
    alice.MustCreate(next_vm);
  };
  for (const NetworkKind kind : kBothKinds) {
    SCOPED_TRACE(KindName(kind));
    const Internet internet;
    std::optional<TapGuest> guest;
    {
      Daemon svnetd = Start({KindFlag(kind)});
      guest.emplace(Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1"));
      Shell(GetParam().setup + "; ip link delete svbr0");
      expect_mended(svnetd, "vm2");
      EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
    }
    Shell("ip link delete svbr0");
    Daemon svnetd = Start({KindFlag(kind)});
    expect_mended(svnetd, "vm3");
    Shell(GetParam().undo);
    Client root(svnetd.socket(), 0);
    EXPECT_TRUE(Eventually([&] { return root.MustGetNetwork().conditions_size() == 0; }))
        << root.MustGetNetwork().ShortDebugString();
    EXPECT_TRUE(guest->Pings(Ipv4Address(0xcb007101)));
    root.MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
    EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
  }
}

TEST_F(NetworkTest, DefaultRoutesAndVpnHalvesAreNoConflict) {
  Furnish();
  Shell("ip route add 0.0.0.0/1 dev up0; ip route add 128.0.0.0/1 dev up0");
  Daemon svnetd = Start();
  EXPECT_TRUE(svnetd.running()) << svnetd.log();
}

TEST_F(NetworkTest, StatusSaysWhatIsWrong) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  EXPECT_THAT(alice.MustGetNetwork().conditions(), IsEmpty());
  alice.MustCreate("vm1");
  v1::GetNetworkResponse network = alice.MustGetNetwork();
  EXPECT_THAT(network.conditions(), IsEmpty());
  EXPECT_TRUE(network.bridge_up());
  EXPECT_EQ(network.addresses().used(), 1u);
  EXPECT_EQ(network.addresses().total(), 253u);
  EXPECT_EQ(network.ports().used(), 1u);
  EXPECT_EQ(network.ports().limit(), 1023u);
}

TEST_F(NetworkTest, ATapThatSomebodyDeletedIsForgotten) {
  Daemon svnetd = Start({"--subnet=10.9.9.4/30"});
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  Shell("ip link delete svvm1eth0");
  EXPECT_EQ(alice.MustCreate("vm2").guest_ip(), "10.9.9.6");
  EXPECT_EQ(alice.MustList().size(), 1u);
}

class GatewayMacTest : public OnEachKind<SystemTest> {};
INSTANTIATE_TEST_SUITE_P(Kinds, GatewayMacTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

// A guest that was restored from a snapshot on another host goes on with what it knows.
TEST_P(GatewayMacTest, IsTheOneThatTheConfigurationNames) {
  const Internet internet;
  const char kMac[] = "02:fc:00:00:00:42";
  Daemon svnetd = Start({absl::StrCat("--gateway-mac=", kMac)});
  Client alice(svnetd.socket(), Member(kAlice));
  const TapGuest guest(alice.MustCreate("vm1"));
  EXPECT_TRUE(guest.Pings(Ipv4Address(0xcb007101)));
  EXPECT_EQ(guest.gateway_mac().ToString(), kMac);
  v1::CreateTapRequest same;
  same.set_vm_id("vm2");
  same.set_iface_id("eth0");
  same.set_mac_address(kMac);
  EXPECT_EQ(ReasonOf(alice.Create(same).status), "ADDRESS_IN_USE");
  const bool routed = GetParam() == NetworkKind::kRouted;
  Shell(routed ? "ip link set svvm1eth0 down" : "ip link set svbr0 address 02:00:00:00:00:01");
  EXPECT_TRUE(Eventually([&] { return guest.Pings(Ipv4Address(0xcb007101)); }));
  EXPECT_THAT(alice.MustGetNetwork().conditions(), IsEmpty());
}

}  // namespace
}  // namespace svnet::testing
