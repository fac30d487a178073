// The configuration of networks changes while they have leases: at a reload, and at a restart.
#include <signal.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/kinds.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Ipv4Address kOutside(0xcb007101);

const std::vector<std::string> kGone = {"NETWORK_GONE"};

// On a host with the network red, of each kind, which is configured or not.
class NetworksChangeTest : public OnEachKind<SystemTest> {
 protected:
  std::string Red(const std::string& more = "") const {
    return absl::StrCat("[networks.red]\nkind = \"", KindName(GetParam()),
                        "\"\nbridge = \"svred0\"\nsubnet = \"172.31.0.0/24\"\n", more);
  }
  Daemon Serve(const std::string& config) const {
    return Daemon(folder(), {kSocketGroupFlag}, config);
  }
  static std::string HostPicture() {
    return Shell(
        "ip -o -4 address; ip route | sed 's/ linkdown//'; ls /sys/class/net; nft list tables | "
        "grep -v lock");
  }

  static Client::Answer Create(Client* client, const std::string& vm) {
    v1::CreateTapRequest request;
    request.set_vm_id(vm);
    request.set_iface_id("eth0");
    request.set_network("red");
    return client->Create(request);
  }
  static v1::ListNetworksResponse List(Client* client) {
    grpc::ClientContext context;
    v1::ListNetworksResponse networks;
    EXPECT_TRUE(client->stub().ListNetworks(&context, {}, &networks).ok());
    return networks;
  }
  static std::vector<std::string> ConditionsOf(Client* client, const std::string& network) {
    std::vector<std::string> types;
    const v1::ListNetworksResponse all = List(client);
    for (const v1::GetNetworkResponse& each : all.networks()) {
      if (each.name() != network) continue;
      for (const auto& condition : each.conditions()) types.push_back(condition.type());
    }
    return types;
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, NetworksChangeTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(NetworksChangeTest, AReloadAddsANetworkWhileGuestsGoOn) {
  const Internet internet;
  Daemon svnetd = Serve("");
  Client alice(svnetd.socket(), Member(kAlice));
  const TapGuest of_default(alice.MustCreate("vm1"));
  EXPECT_EQ(ReasonOf(Create(&alice, "vm2").status), "NETWORK_NOT_FOUND");
  svnetd.Reload(Red());
  EXPECT_THAT(svnetd.log(), HasSubstr("reloaded: networks.red\n"));
  const TapGuest of_red(Create(&alice, "vm2").tap);
  EXPECT_EQ(of_red.ip().ToString(), "172.31.0.2");
  for (const TapGuest* guest : {&of_default, &of_red}) {
    EXPECT_TRUE(guest->Pings(guest->gateway()));
    EXPECT_TRUE(guest->Pings(kOutside));
  }
  EXPECT_THAT(ConditionsOf(&alice, "red"), IsEmpty());
  // What happens to it is heard of.
  Shell("ip link delete svred0");
  EXPECT_TRUE(Eventually([&] { return of_red.Pings(kOutside); }));
  Shell("ip route add 172.31.0.128/25 dev up0");
  EXPECT_TRUE(Eventually(
      [&] { return ConditionsOf(&alice, "red") == std::vector<std::string>{"SUBNET_CONFLICT"}; }));
}

TEST_P(NetworksChangeTest, OneThatIsInTheWayIsNotAddedAndNothingElseIsApplied) {
  Daemon svnetd = Serve(Red());
  Client alice(svnetd.socket(), Member(kAlice));
  Create(&alice, "vm1");
  // Its own file is right, and what is served still has red's old prefix.
  svnetd.Reload(absl::StrCat("log_level = \"debug\"\n[networks.blue]\nbridge = \"svblue0\"\n",
                             "subnet = \"172.31.0.0/25\"\n"));
  EXPECT_THAT(
      svnetd.log(),
      AllOf(HasSubstr("reload failed, the old settings stay in force: networks.blue.subnet: "
                      "172.31.0.0/25 overlaps 172.31.0.0/24 of the network red"),
            ::testing::Not(HasSubstr("reloaded: "))));
  EXPECT_TRUE(Create(&alice, "vm2").status.ok());
}

TEST_P(NetworksChangeTest, ABridgeThatAnotherSvnetdHasIsNotAdded) {
  Daemon svnetd = Serve("");
  const TemporaryFolder elsewhere;
  const Daemon other(elsewhere.path(),
                     {kSocketGroupFlag, "--bridge=svred0", "--subnet=172.29.0.0/24"});
  ASSERT_TRUE(other.running());
  svnetd.Reload(Red());
  EXPECT_THAT(svnetd.log(), HasSubstr("reload failed, the old settings stay in force: another "
                                      "svnetd has bridge svred0"));
}

TEST_P(NetworksChangeTest, OneThatIsGoneAtAReloadKeepsItsGuestsAndTakesNoOthers) {
  const Internet internet;
  Daemon svnetd = Serve(Red());
  Client alice(svnetd.socket(), Member(kAlice));
  const TapGuest guest(Create(&alice, "vm1").tap);
  svnetd.Reload("");
  EXPECT_EQ(ReasonOf(Create(&alice, "vm2").status), "NETWORK_NOT_FOUND");
  EXPECT_EQ(ConditionsOf(&alice, "red"), kGone);
  EXPECT_TRUE(guest.Pings(kOutside));
  // There again.
  svnetd.Reload(Red());
  EXPECT_THAT(ConditionsOf(&alice, "red"), IsEmpty());
  EXPECT_TRUE(Create(&alice, "vm2").status.ok());
  // Gone for good.
  svnetd.Reload("");
  EXPECT_EQ(alice.MustCleanup(v1::CLEANUP_SCOPE_CALLER).taps_removed(), 2u);
  EXPECT_TRUE(Eventually([] { return ShellExitCode("ip link show dev svred0 2>/dev/null") != 0; }));
}

TEST_P(NetworksChangeTest, OneThatIsGoneAtARestartKeepsItsGuestsAndItsRules) {
  const Internet internet;
  const std::string red =
      Red("host_access = \"deny\"\nblocked_destinations = [\"203.0.113.1/32\"]\n");
  v1::Tap tap;
  {
    Daemon first = Serve(red);
    Client alice(first.socket(), Member(kAlice));
    tap = Create(&alice, "vm1").tap;
    first.Stop(SIGTERM);
  }
  const TapGuest guest(tap);
  for (int round = 0; round < 2; ++round) {
    Daemon svnetd = Serve("");
    Client alice(svnetd.socket(), Member(kAlice));
    EXPECT_EQ(ConditionsOf(&alice, "red"), kGone);
    EXPECT_EQ(ReasonOf(Create(&alice, "vm2").status), "NETWORK_NOT_FOUND");
    EXPECT_TRUE(guest.Pings(guest.gateway()));
    EXPECT_FALSE(guest.Pings(kOutside));
    alice.MustCreate("vm3");  // makes the rules of all
    EXPECT_FALSE(guest.Pings(kOutside));
    EXPECT_TRUE(alice.MustRemove("svvm3eth0"));
    svnetd.Stop(SIGTERM);
  }
  {
    Daemon svnetd = Serve("");
    Client alice(svnetd.socket(), Member(kAlice));
    EXPECT_TRUE(alice.MustRemove("svvm1eth0"));
    EXPECT_TRUE(
        Eventually([] { return ShellExitCode("ip link show dev svred0 2>/dev/null") != 0; }));
    svnetd.Stop(SIGTERM);
  }
  Daemon last = Serve("");
  Client alice(last.socket(), Member(kAlice));
  EXPECT_EQ(List(&alice).networks_size(), 1);
}

// The words are those of NetworkPlanTest; here nothing is changed.
TEST_P(NetworksChangeTest, AStartWithAnotherBridgeOrPrefixIsRefusedAndTheGuestsGoOn) {
  const Internet internet;
  v1::Tap tap;
  {
    Daemon first = Serve(Red());
    Client alice(first.socket(), Member(kAlice));
    tap = Create(&alice, "vm1").tap;
    alice.MustCreate("vm2");
    first.Stop(SIGTERM);
  }
  const TapGuest guest(tap);
  const std::string before = HostPicture();
  const std::string kind = absl::StrCat("kind = \"", KindName(GetParam()), "\"\n");
  for (const auto& [config, words] : std::vector<std::pair<std::string, std::string>>{
           {absl::StrCat("[networks.red]\n", kind,
                         "bridge = \"svred1\"\nsubnet = \"172.31.0.0/24\""),
            "when `networks.red.bridge` was \"svred0\": set that again"},
           {absl::StrCat("[networks.red]\n", kind,
                         "bridge = \"svred0\"\nsubnet = \"172.29.0.0/24\""),
            "is a lease of 172.31.0.2, which `subnet` = \"172.29.0.0/24\" does not contain"},
           {absl::StrCat("bridge = \"svbr1\"\n", Red()), "when `bridge` was \"svbr0\""},
           {Red("gateway_mac = \"02:fc:00:00:00:09\"\n"), "gateway_mac` was \"auto\""}}) {
    Daemon refused = Serve(config);
    Client alice(refused.socket(), Member(kAlice));
    const Client::Answer answer = alice.Create("vm3");
    EXPECT_EQ(ReasonOf(answer.status), "BRIDGE_SETUP_FAILED");
    EXPECT_THAT(answer.status.error_message(), HasSubstr(words));
    EXPECT_EQ(ConditionsOf(&alice, "red"), std::vector<std::string>{"NETWORK_NOT_STARTED"});
    EXPECT_EQ(HostPicture(), before);
    EXPECT_TRUE(guest.Pings(kOutside));
    refused.Stop(SIGTERM);
  }
  // A reload with the right file lets it start.
  Daemon svnetd = Serve(absl::StrCat("bridge = \"svbr1\"\n", Red()));
  Client alice(svnetd.socket(), Member(kAlice));
  svnetd.Reload(Red());
  EXPECT_TRUE(Eventually([&] { return alice.Create("vm3").status.ok(); }));
}

}  // namespace
}  // namespace svnet::testing
