// Several networks in the configuration: [networks.NAME].
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/config/load_config.h"
#include "daemon/lease/names.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A host with the user alice (1000) and the group kvm (105).
Accounts TestAccounts() {
  const auto only = [](const std::string& known, uint32_t id) {
    return [known, id](const std::string& name) {
      return name == known ? std::make_optional(id) : std::nullopt;
    };
  };
  return {.find_user = only("alice", 1000), .find_group = only("kvm", 105)};
}

absl::StatusOr<Config> FromText(absl::string_view text, const Flags& flags = {}) {
  return MakeConfig("svnetd.toml", text, flags, TestAccounts());
}

std::string ErrorOf(absl::string_view text, const Flags& flags = {}) {
  const absl::StatusOr<Config> config = FromText(text, flags);
  EXPECT_FALSE(config.ok()) << text;
  return std::string(config.status().message());
}

// The default network and gpu, of that kind, with these bridges.
std::string WithBridges(absl::string_view kind, absl::string_view bridge,
                        absl::string_view gpu_kind, absl::string_view gpu_bridge) {
  return absl::StrCat("kind = \"", kind, "\"\nbridge = \"", bridge, "\"\n[networks.gpu]\nkind = \"",
                      gpu_kind, "\"\nbridge = \"", gpu_bridge, "\"\nsubnet = \"10.1.0.0/16\"\n");
}

constexpr char kGpu[] = R"([networks.gpu]
bridge = "br-gpu"
subnet = "10.1.0.0/16"
)";

TEST(NetworksConfigTest, ThereIsOnlyTheDefaultOneWithoutSections) {
  EXPECT_THAT(FromText("")->networks, SizeIs(1));
  EXPECT_THAT(FromText("[networks]\n")->networks, SizeIs(1));
  EXPECT_EQ(FromText("")->default_network().name.text(), "default");
}

TEST(NetworksConfigTest, ASectionIsANetworkWithTheDefaultsOfANetwork) {
  const Config config =
      FromText(absl::StrCat("mtu = 1400\nkind = \"routed\"\nisolation = \"all\"\n", kGpu)).value();
  ASSERT_THAT(config.networks, SizeIs(2));
  EXPECT_EQ(config.default_network().mtu, 1400u);
  const NetworkConfig& gpu = config.networks[1];
  EXPECT_EQ(gpu.name.text(), "gpu");
  EXPECT_EQ(gpu.bridge, testing::Name("br-gpu"));
  EXPECT_EQ(gpu.subnet, testing::Prefix("10.1.0.0/16"));
  EXPECT_EQ(gpu.kind, NetworkKind::kBridge);
  EXPECT_EQ(gpu.mtu, std::nullopt);
  EXPECT_EQ(gpu.isolation, Isolation::kOwner);
}

TEST(NetworksConfigTest, ASectionHasTheKeysOfTheDefaultNetwork) {
  const Config config = FromText(R"([networks.lab-2]
kind = "routed"
bridge = "br-lab"
subnet = "10.2.0.0/16"
mtu = 9000
isolation = "all"
host_access = "deny"
host_ports = ["udp/53"]
local_access = "owner"
blocked_destinations = []
)")
                            .value();
  const NetworkConfig& lab = config.networks.at(1);
  EXPECT_EQ(lab.kind, NetworkKind::kRouted);
  EXPECT_EQ(lab.mtu, 9000u);
  EXPECT_EQ(lab.isolation, Isolation::kAll);
  EXPECT_FALSE(lab.host_access);
  EXPECT_THAT(lab.host_ports, ElementsAre(HostPort{HostPort::Protocol::kUdp, 53}));
  EXPECT_EQ(lab.local_access, LocalAccess::kOwner);
  EXPECT_THAT(lab.blocked_destinations, IsEmpty());
  EXPECT_EQ(config.default_network().bridge, testing::Name("svbr0"));
}

TEST(NetworksConfigTest, TheDefaultOneIsFirstAndTheOthersAreByName) {
  const Config config = FromText(R"([networks.z]
bridge = "br-z"
subnet = "10.2.0.0/16"
[networks.a]
bridge = "br-a"
subnet = "10.1.0.0/16"
)")
                            .value();
  ASSERT_THAT(config.networks, SizeIs(3));
  EXPECT_EQ(config.networks[0].name.text(), "default");
  EXPECT_EQ(config.networks[1].name.text(), "a");
  EXPECT_EQ(config.networks[2].name.text(), "z");
}

TEST(NetworksConfigTest, FlagsAreAboutTheDefaultNetwork) {
  const Config config = FromText(kGpu, {{"bridge", "br1"}, {"mtu", "1400"}}).value();
  EXPECT_EQ(config.default_network().bridge, testing::Name("br1"));
  EXPECT_EQ(config.networks.at(1).bridge, testing::Name("br-gpu"));
  EXPECT_EQ(config.networks.at(1).mtu, std::nullopt);
}

TEST(NetworksConfigTest, RefusesNamesThatNoNetworkHas) {
  for (const char* bad : {"Gpu", "1gpu", "a_b", "-a", "abcdefghijklmnop", "\"\"", "\"a b\""}) {
    EXPECT_THAT(ErrorOf(absl::StrCat("\n[networks.", bad, "]\nmtu = 1400")),
                AllOf(StartsWith("svnetd.toml:2: networks."),
                      HasSubstr("is not a name for a network: a small letter, and up to 14")))
        << bad;
  }
  EXPECT_TRUE(FromText("[networks.abcdefghijklmno]\nbridge = \"b\"\nsubnet = \"10.0.0.0/8\"").ok());
  EXPECT_THAT(ErrorOf("[networks.default]\nmtu = 1400"),
              StartsWith("svnetd.toml:1: networks.default: the keys of the network default are at "
                         "the top of the file"));
}

TEST(NetworksConfigTest, ABridgeAndASubnetMustBeSet) {
  EXPECT_THAT(ErrorOf("\n[networks.gpu]\nsubnet = \"10.0.0.0/8\""),
              StartsWith("svnetd.toml:2: networks.gpu: bridge is not set"));
  EXPECT_THAT(ErrorOf("\nnetworks.gpu.bridge = \"b\""),
              StartsWith("svnetd.toml:2: networks.gpu: subnet is not set"));
}

TEST(NetworksConfigTest, SaysWhatWasMeantByAKeyOfASection) {
  EXPECT_THAT(ErrorOf("[networks.gpu]\nbrigde = \"b\""),
              AllOf(StartsWith("svnetd.toml:2: networks.gpu.brigde: unknown key: did you mean "
                               "bridge?; known keys: kind, bridge, subnet, mtu, gateway_mac"),
                    Not(HasSubstr("socket"))));
  EXPECT_THAT(ErrorOf("[networks.gpu]\nlimits = 1"),
              StartsWith("svnetd.toml:2: networks.gpu.limits: unknown key; known keys: "));
  EXPECT_THAT(ErrorOf("[networks.gpu]\nlog_level = \"debug\""),
              HasSubstr("log_level: belongs to the top of the file, before the first [table]"));
  EXPECT_THAT(ErrorOf("[networks.gpu]\ntaps_per_user = 1"), HasSubstr("belongs to [limits]"));
  EXPECT_THAT(ErrorOf("[limits]\nmtu = 1"), HasSubstr("[table], or to a [networks.NAME]"));
  EXPECT_THAT(ErrorOf("[limits]\nsocket = 1"), Not(HasSubstr("or to a [networks.NAME]")));
  EXPECT_THAT(ErrorOf("[networks]\nbridge = \"b\""),
              StartsWith("svnetd.toml:2: networks.bridge: belongs to the top of the file"));
  EXPECT_THAT(ErrorOf("[networks]\ngpu = 1"), HasSubstr("networks.gpu: must be a table"));
  EXPECT_THAT(ErrorOf("networks = 1"), StartsWith("svnetd.toml:1: networks: must be a table"));
  EXPECT_THAT(ErrorOf("[[networks]]\nmtu = 1"), HasSubstr("networks: must be a table"));
  EXPECT_THAT(ErrorOf("[network.gpu]\nmtu = 1"), HasSubstr("did you mean networks?"));
  EXPECT_THAT(ErrorOf("colour = 1"), HasSubstr("[networks.NAME]"));
}

TEST(NetworksConfigTest, ReportsValuesOfASectionWithTheirPlace) {
  EXPECT_THAT(ErrorOf("[networks.gpu]\nmtu = 1"),
              StartsWith("svnetd.toml:2: networks.gpu.mtu: \"1\" is neither"));
  EXPECT_THAT(ErrorOf("[networks.gpu]\nsubnet = 10"),
              StartsWith("svnetd.toml:2: networks.gpu.subnet: must be a string"));
  EXPECT_THAT(ErrorOf("[networks.gpu]\nbridge = br0"),
              StartsWith("svnetd.toml:2: bridge: br0 needs quotes: bridge = \"br0\""));
}

TEST(NetworksConfigTest, RefusesTwoNetworksWithOneBridge) {
  EXPECT_EQ(ErrorOf(WithBridges("bridge", "br0", "routed", "br0")),
            "svnetd.toml:5: networks.gpu.bridge: br0 is the bridge of the network default: each "
            "network needs its own");
  EXPECT_THAT(ErrorOf(kGpu, {{"bridge", "br-gpu"}}),
              StartsWith("svnetd.toml:2: networks.gpu.bridge: br-gpu is the bridge of the network "
                         "default"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kGpu,
                                   "[networks.a]\nbridge = \"br-gpu\"\nsubnet = "
                                   "\"10.2.0.0/16\"\n")),
              StartsWith("svnetd.toml:2: networks.gpu.bridge: br-gpu is the bridge of the network "
                         "a: "));
}

TEST(NetworksConfigTest, RefusesPrefixesThatOverlap) {
  for (const char* subnet : {"172.16.0.0/12", "172.30.0.0/24", "172.30.0.128/25"}) {
    EXPECT_EQ(ErrorOf(absl::StrCat("[networks.gpu]\nbridge = \"b\"\nsubnet = \"", subnet, "\"")),
              absl::StrCat("svnetd.toml:3: networks.gpu.subnet: ", subnet,
                           " overlaps 172.30.0.0/24 of the network default"));
  }
  EXPECT_THAT(ErrorOf(kGpu, {{"subnet", "10.0.0.0/8"}}), HasSubstr("overlaps 10.0.0.0/8 of the"));
  EXPECT_TRUE(FromText(kGpu, {{"subnet", "10.0.0.0/16"}}).ok());
}

// The hashes of these names are close to each other.
TEST(NetworksConfigTest, RefusesLinkGroupsThatOverlap) {
  EXPECT_EQ(ErrorOf(WithBridges("bridge", "br39779", "bridge", "br46810")),
            "svnetd.toml:5: networks.gpu.bridge: the link groups that svnetd derives from br46810 "
            "and from br39779 of the network default overlap: set another `bridge`");
  EXPECT_THAT(ErrorOf(WithBridges("bridge", "br46810", "bridge", "br39779")),
              HasSubstr("set another `bridge`"));
  EXPECT_THAT(ErrorOf(WithBridges("routed", "br329", "routed", "br422")),
              HasSubstr("from br422 and from br329 of the network default overlap"));
  EXPECT_THAT(ErrorOf(WithBridges("routed", "br166", "bridge", "br210")),
              HasSubstr("from br210 and from br166 of the network default overlap"));
  EXPECT_THAT(ErrorOf(WithBridges("bridge", "br210", "routed", "br166")),
              HasSubstr("from br166 and from br210 of the network default overlap"));
  EXPECT_TRUE(FromText(WithBridges("bridge", "br329", "bridge", "br422")).ok());
  EXPECT_TRUE(FromText(WithBridges("routed", "br39779", "routed", "br46810")).ok());
}

TEST(NetworksConfigTest, ReadsTheMacOfAGateway) {
  EXPECT_EQ(FromText("")->default_network().gateway_mac, std::nullopt);
  EXPECT_EQ(FromText("gateway_mac = \"auto\"")->default_network().gateway_mac, std::nullopt);
  EXPECT_EQ(FromText("", {{"gateway_mac", "02:FC:00:00:00:09"}})->default_network().gateway_mac,
            testing::Mac("02:fc:00:00:00:09"));
  EXPECT_EQ(FromText(absl::StrCat(kGpu, "gateway_mac = \"02:fc:00:00:00:02\""))
                ->networks.at(1)
                .gateway_mac,
            testing::Mac("02:fc:00:00:00:02"));
  EXPECT_THAT(ErrorOf("gateway_mac = \"02:fc\""), HasSubstr("is not a MAC like"));
  EXPECT_THAT(ErrorOf("", {{"gateway_mac", kTapMac.ToString()}}),
              HasSubstr("is the MAC of all TAPs on bridges themselves"));
  for (const char* bad : {"01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"}) {
    EXPECT_THAT(ErrorOf("", {{"gateway_mac", bad}}), HasSubstr("is not the MAC of one station"));
  }
}

TEST(NetworksConfigTest, ReadsPeers) {
  const Config config =
      FromText(absl::StrCat("peers = [\"gpu\"]\n", kGpu, "peers = [\"default\", \"default\"]\n"))
          .value();
  ASSERT_THAT(config.default_network().peers, SizeIs(1));
  EXPECT_EQ(config.default_network().peers.begin()->text(), "gpu");
  EXPECT_THAT(config.networks.at(1).peers, ElementsAre(NetworkName()));
  // Only one of both says so: that is allowed, and opens nothing.
  EXPECT_TRUE(FromText(absl::StrCat(kGpu, "peers = [\"default\"]\n")).ok());
}

TEST(NetworksConfigTest, RefusesPeersThatAreNoOtherNetworks) {
  EXPECT_EQ(ErrorOf(absl::StrCat("peers = [\"gpuu\"]\n", kGpu)),
            "svnetd.toml:1: peers: there is no network gpuu: did you mean gpu?; networks: default, "
            "gpu");
  EXPECT_THAT(ErrorOf(absl::StrCat(kGpu, "peers = [\"lab\"]")),
              StartsWith("svnetd.toml:4: networks.gpu.peers: there is no network lab; networks: "));
  EXPECT_THAT(ErrorOf(absl::StrCat(kGpu, "peers = [\"gpu\"]")),
              StartsWith("svnetd.toml:4: networks.gpu.peers: gpu is the network itself"));
  EXPECT_EQ(ErrorOf("", {{"peers", "default"}}), "--peers: default is the network itself");
  EXPECT_THAT(ErrorOf("peers = [\"Gpu\"]"), HasSubstr("\"Gpu\" is not a name for a network"));
  EXPECT_THAT(ErrorOf("peers = \"gpu\""), HasSubstr("a list of strings"));
}

TEST(NetworksConfigTest, ReadsWhoMayUseANetwork) {
  EXPECT_TRUE(FromText(kGpu)->networks.at(1).IsForAll());
  const NetworkConfig gpu =
      FromText(absl::StrCat(kGpu, "allow_users = [\"alice\", \"4711\"]\nallow_groups = [\"kvm\"]"))
          ->networks.at(1);
  EXPECT_FALSE(gpu.IsForAll());
  EXPECT_THAT(gpu.users, ElementsAre(1000u, 4711u));
  EXPECT_THAT(gpu.groups, ElementsAre(105u));
  EXPECT_THAT(ErrorOf(absl::StrCat(kGpu, "allow_users = [\"bob\"]")),
              AllOf(StartsWith("svnetd.toml:4: networks.gpu.allow_users: "),
                    HasSubstr("\"bob\" is not a user of this host")));
  // At the top they are not about the default network.
  EXPECT_THAT(ErrorOf("allow_users = [\"alice\"]"), HasSubstr("belongs to [callers]"));
  EXPECT_THAT(FromText("", {{"allow_users", "alice"}})->callers.users, ElementsAre(1000u));
  EXPECT_TRUE(FromText("", {{"allow_users", "alice"}})->default_network().IsForAll());
}

TEST(NetworksConfigTest, AReloadAppliesThatANetworkIsNewOrGone) {
  const Config running = FromText("").value();
  const Config next = FromText(kGpu).value();
  EXPECT_THAT(KeysThatReloadApplies(running, next), ElementsAre("networks.gpu"));
  EXPECT_THAT(KeysThatNeedRestart(running, next), IsEmpty());
  EXPECT_THAT(KeysThatReloadApplies(next, next), IsEmpty());
  EXPECT_THAT(KeysThatNeedRestart(next, next), IsEmpty());
  EXPECT_THAT(KeysThatNeedRestart(next, FromText("").value()), IsEmpty());
  EXPECT_THAT(KeysThatReloadApplies(next, FromText("").value()), ElementsAre("networks.gpu"));
  // One that is kept for its leases.
  Config closed = next;
  closed.networks[1].closed = true;
  EXPECT_THAT(KeysThatReloadApplies(closed, FromText("").value()), IsEmpty());
  EXPECT_THAT(KeysThatReloadApplies(closed, next), ElementsAre("networks.gpu"));
}

TEST(NetworksConfigTest, AChangedNetworkNeedsARestart) {
  const Config running = FromText(kGpu).value();
  const Config changed = FromText(absl::StrCat("mtu = 1400\n", kGpu,
                                               "mtu = 9000\n"
                                               "host_ports = [\"udp/53\"]\n"))
                             .value();
  EXPECT_THAT(KeysThatNeedRestart(running, changed),
              ElementsAre("mtu", "networks.gpu.mtu", "networks.gpu.host_ports"));
  EXPECT_THAT(KeysThatReloadApplies(running, changed), IsEmpty());
}

TEST(NetworksConfigTest, ThereIsALimit) {
  std::string text;
  for (int i = 1; i < 64; ++i) {
    absl::StrAppend(&text, "[networks.n", i, "]\nbridge = \"svn", i, "\"\nsubnet = \"10.", i,
                    ".0.0/24\"\n");
  }
  EXPECT_TRUE(FromText(text).ok()) << FromText(text).status();
  absl::StrAppend(&text, "[networks.more]\nbridge = \"more\"\nsubnet = \"10.99.0.0/24\"\n");
  EXPECT_EQ(ErrorOf(text), "there are 65 networks, and svnetd serves at most 64");
}

}  // namespace
}  // namespace svnet
