// Which networks an svnetd serves that comes after another one.
#include "daemon/service/network_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/config/load_config.h"
#include "daemon/config/served_config.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/names.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Iface;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Mac;
using testing::Name;
using testing::Vm;

const char kRed[] =
    "[networks.red]\nbridge = \"svred0\"\nsubnet = \"172.31.0.0/24\"\npeers = [\"default\"]\n"
    "allow_users = [\"1001\"]\n";

Config FromText(const std::string& text) {
  const Accounts nobody = {.find_user = [](const std::string&) { return std::nullopt; },
                           .find_group = [](const std::string&) { return std::nullopt; }};
  return MakeConfig("svnetd.toml", text, {}, nobody).value();
}

// A TAP of that network, as its link is.
Link TapOf(const std::string& network, const std::string& bridge, const std::string& ip,
           NetworkKind kind = NetworkKind::kBridge) {
  const LeaseSpec spec = {.network = NetworkName::Parse(network).value(),
                          .key = {.owner = 1000, .vm = Vm("vm1"), .iface = Iface("eth0")},
                          .tap = Name("svvm1eth0"),
                          .ip = Ip(ip),
                          .mac = Mac("02:29:a3:2f:41:c8")};
  Link link;
  link.ifindex = 10;
  link.name = "svvm1eth0";
  link.kind = LinkKind::kTap;
  link.persistent = true;
  link.alias = FormatAlias(spec);
  link.group = kind == NetworkKind::kRouted ? DeriveRoutedGroup(Name(bridge))
                                            : DeriveLinkGroup(Name(bridge));
  return link;
}

Link BridgeOf(const std::string& name) {
  Link link;
  link.ifindex = 5;
  link.name = name;
  link.kind = LinkKind::kBridge;
  link.alias = std::string(kBridgeAlias);
  return link;
}

const Link kRedTap = TapOf("red", "svred0", "172.31.0.2");

// Their names, "red (closed)" if it takes no leases; or what is wrong.
std::vector<std::string> Plan(const std::string& config, const std::optional<std::string>& served,
                              const std::vector<Link>& links) {
  const auto plan = PlanNetworks(
      FromText(config), served.has_value() ? std::make_optional(FromText(*served)) : std::nullopt,
      links);
  if (!plan.ok()) return {std::string(plan.status().message())};
  std::vector<std::string> names;
  for (const NetworkConfig& each : *plan) {
    names.push_back(absl::StrCat(each.name.text(), each.closed ? " (closed)" : ""));
  }
  return names;
}

TEST(NetworkPlanTest, IsTheConfigurationWhereNothingWasLeft) {
  EXPECT_THAT(Plan("", std::nullopt, {}), ElementsAre("default"));
  EXPECT_THAT(Plan(kRed, std::nullopt, {kRedTap}), ElementsAre("default", "red"));
  EXPECT_THAT(Plan("", kRed, {}), ElementsAre("default"));
  EXPECT_THAT(Plan(kRed, kRed, {kRedTap}), ElementsAre("default", "red"));
}

TEST(NetworkPlanTest, KeepsANetworkThatIsGoneForWhatItHasLeft) {
  const std::string blue = "[networks.zone]\nbridge = \"svzone0\"\nsubnet = \"172.29.0.0/24\"\n";
  EXPECT_THAT(Plan(blue, kRed, {kRedTap}), ElementsAre("default", "red (closed)", "zone"));
  // One that is being destroyed.
  Link retired = kRedTap;
  retired.group = RetiredGroupOf(DeriveLinkGroup(Name("svred0")), 0);
  EXPECT_THAT(Plan("", kRed, {retired}), ElementsAre("default", "red (closed)"));
  EXPECT_THAT(Plan("", kRed, {BridgeOf("svred0")}), ElementsAre("default", "red (closed)"));
  // An operator's bridge, or another network's TAP.
  Link bridge = BridgeOf("svred0");
  bridge.alias = "";
  EXPECT_THAT(Plan("", kRed, {bridge, TapOf("default", "svbr0", "172.30.0.2")}),
              ElementsAre("default"));
  // Its peers may have gone, too.
  EXPECT_THAT(Plan("",
                   std::string(kRed) + "[networks.zone]\nbridge = \"svzone0\"\n"
                                       "subnet = \"172.29.0.0/24\"\npeers = [\"red\"]\n",
                   {TapOf("zone", "svzone0", "172.29.0.2")}),
              ElementsAre("default", "zone (closed)"));
}

TEST(NetworkPlanTest, ANetworkInTheWayOfOneThatIsGoneIsRefused) {
  const std::string other = "[networks.blue]\nbridge = \"svblue0\"\nsubnet = \"172.31.0.0/25\"\n";
  EXPECT_THAT(Plan(other, kRed, {kRedTap}),
              ElementsAre("networks.blue.subnet: 172.31.0.0/25 overlaps 172.31.0.0/24 of the "
                          "network red, which has gone from the configuration, and still has "
                          "TAPs"));
  // A bridge alone is not.
  EXPECT_THAT(Plan(other, kRed, {BridgeOf("svred0")}), ElementsAre("default", "blue"));
}

TEST(NetworkPlanTest, LeasesOfAnotherBridgeOrGatewayMacAreNotLost) {
  const std::string moved = "[networks.red]\nbridge = \"svred1\"\nsubnet = \"172.31.0.0/24\"\n";
  EXPECT_THAT(
      Plan(moved, kRed, {kRedTap}),
      ElementsAre("TAP svvm1eth0 is a lease of when `networks.red.bridge` was \"svred0\": set that "
                  "again. To change it, first run `svnetctl cleanup --network --of red`, which "
                  "ends all its leases"));
  EXPECT_THAT(Plan(moved, kRed, {}), ElementsAre("default", "red"));
  EXPECT_THAT(Plan(std::string(kRed) + "gateway_mac = \"02:fc:00:00:00:09\"\n", kRed, {kRedTap}),
              ElementsAre(HasSubstr("`networks.red.gateway_mac` was \"auto\": set that again")));
  // Leases of each kind.
  EXPECT_THAT(Plan("kind = \"routed\"\nbridge = \"svbr1\"", "kind = \"routed\"",
                   {TapOf("default", "svbr0", "172.30.0.2", NetworkKind::kRouted)}),
              ElementsAre(AllOf(HasSubstr("when `bridge` was \"svbr0\""), HasSubstr("--of '*'"))));
}

// The tables of all networks are named after the default network's bridge.
TEST(NetworkPlanTest, TheTablesDoNotMoveAwayFromLeasesOfAnyNetwork) {
  const std::string moved = std::string("bridge = \"svbr1\"\n") + kRed;
  EXPECT_THAT(Plan(moved, kRed, {kRedTap}),
              ElementsAre(HasSubstr("is a lease of when `bridge` was \"svbr0\"")));
  EXPECT_THAT(Plan(moved, kRed, {}), ElementsAre("default", "red"));
  EXPECT_FALSE(CheckTablesNotMoved(FromText(moved), FromText(kRed), {kRedTap}).ok());
  EXPECT_TRUE(CheckTablesNotMoved(FromText(kRed), FromText(kRed), {kRedTap}).ok());
}

TEST(ServedConfigTest, IsReadBackAsItWasWritten) {
  Config config = FromText(std::string("socket = \"/run/other.sock\"\nkind = \"routed\"\n"
                                       "gateway_mac = \"02:fc:00:00:00:09\"\n"
                                       "host_ports = [\"udp/53\"]\n") +
                           kRed);
  const Config read = ParseServed(FormatServed(config)).value();
  EXPECT_EQ(read.socket, "/run/other.sock");
  EXPECT_THAT(KeysThatNeedRestart(config, read), IsEmpty());
  EXPECT_THAT(KeysThatReloadApplies(config, read), IsEmpty());
  EXPECT_THAT(read.networks[1].users, ElementsAre(1001u));
  // A path that TOML cannot say.
  config.socket = "/run/\xff";
  EXPECT_EQ(ParseServed(FormatServed(config))->socket, "/");
  EXPECT_FALSE(ParseServed("bridge =").ok());
}

}  // namespace
}  // namespace svnet
