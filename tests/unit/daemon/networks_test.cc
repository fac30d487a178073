// Several networks behind one registry.
#include "daemon/network/networks.h"

#include <linux/rtnetlink.h>

#include "daemon/base/error.h"
#include "daemon/metrics/metrics.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const NetworkName kDefault;
const NetworkName kRed = NetworkName::Parse("red").value();

// The default network and one beside it, which only bob and administrators may use.
class NetworksTest : public NetworkRegistryTest {
 protected:
  NetworksTest() {
    others_ = {{.name = kRed,
                .bridge = Name("svred0"),
                .prefix = Prefix("172.31.0.0/24"),
                .bridge_mac = Mac("c2:00:00:00:00:02"),
                .users = {kBob.uid}}};
  }

  absl::StatusOr<Lease> CreateOn(const NetworkName& network, const Caller& caller,
                                 const std::string& vm) {
    return api().CreateTap(caller, {.network = network, .vm = Vm(vm), .iface = Iface("eth0")});
  }
  std::vector<std::string> ConditionsOf(const NetworkName& network) {
    std::vector<std::string> types;
    const NetworkStatus status = api().GetNetwork(kRoot, network).value();
    for (const Condition& each : status.conditions) types.push_back(each.type);
    return types;
  }
  // So that red cannot start.
  void OverlapRed() {
    kernel_.AddRoute({.destination = kOverlap,
                      .ifindex = kernel_.Find("eth0")->ifindex,
                      .table = RT_TABLE_MAIN});
  }

  const Ipv4Prefix kOverlap = Prefix("172.31.0.0/16");
};

TEST_F(NetworksTest, EachHasItsLeasesAndItsAddresses) {
  EXPECT_EQ(CreateOn(kDefault, kBob, "vm1")->spec.ip, Ip("172.30.0.2"));
  EXPECT_EQ(CreateOn(kRed, kBob, "vm2")->spec.ip, Ip("172.31.0.2"));
  EXPECT_EQ(kernel_.Find("svvm2eth0")->master, kernel_.Find("svred0")->ifindex);
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(api().GetTap(kBob, ByIds("vm2"))->spec.network, kRed);
  EXPECT_TRUE(MustRemove(kBob, ByIds("vm2")));
  EXPECT_EQ(kernel_.Find("svvm2eth0"), nullptr);
  EXPECT_NE(kernel_.Find("svvm1eth0"), nullptr);
}

TEST_F(NetworksTest, ToThoseWhoMayNotUseItANetworkLooksLikeNone) {
  const absl::Status refused = CreateOn(kRed, kAlice, "vm1").status();
  EXPECT_EQ(ReasonIn(refused), "NETWORK_NOT_FOUND");
  EXPECT_EQ(api().GetNetwork(kAlice, kRed).status(), refused);
  EXPECT_EQ(ReasonIn(CreateOn(NetworkName::Parse("blue").value(), kAlice, "vm1").status()),
            "NETWORK_NOT_FOUND");
}

TEST_F(NetworksTest, OneThatCannotBeReadCostsOnlyItsOwnMetrics) {
  ASSERT_TRUE(CreateOn(kDefault, kBob, "vm1").ok());
  ASSERT_TRUE(CreateOn(kRed, kBob, "vm2").ok());
  faults_.FailNext("ReadDrops", absl::InternalError("injected"));
  const std::string text = Metrics().Render(api().Measure());
  EXPECT_THAT(text, HasSubstr("svnet_network_read_success{network=\"default\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("svnet_network_read_success{network=\"red\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("svnet_leases{network=\"red\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("svnet_watchers 0\n"));
}

TEST_F(NetworksTest, OneThatCannotStartCostsOnlyItself) {
  HealthOfNetworks health;
  on_health_ = [&](const HealthOfNetworks& now) { health = now; };
  OverlapRed();
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(CreateOn(kDefault, kBob, "vm1").ok());
  EXPECT_THAT(ConditionsOf(kDefault), IsEmpty());
  const absl::Status refused = CreateOn(kRed, kBob, "vm2").status();
  EXPECT_EQ(ReasonIn(refused), "SUBNET_CONFLICT");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("network red has not started yet"));
  EXPECT_THAT(ConditionsOf(kRed), ElementsAre("NETWORK_NOT_STARTED"));
  EXPECT_TRUE(health.at(kDefault).network);
  EXPECT_FALSE(health.at(kRed).network);
  // Whoever may use it is not told that a lease is none, which may be there.
  EXPECT_EQ(ReasonIn(api().RemoveTap(kBob, ByIds("vm9")).status()), "SUBNET_CONFLICT");
  EXPECT_TRUE(MustRemove(kBob, ByIds("vm1")));
  EXPECT_FALSE(MustRemove(kAlice, ByIds("vm9")));
  EXPECT_TRUE(api().ListTaps(kAlice, {.limit = 10}).ok());
  EXPECT_EQ(ReasonIn(api().ListTaps(kBob, {.limit = 10}).status()), "SUBNET_CONFLICT");
  EXPECT_TRUE(api().ListTaps(kBob, {.limit = 10, .network = kDefault}).ok());
}

TEST_F(NetworksTest, OneThatCannotStartIsTriedAgain) {
  OverlapRed();
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("network red has not started yet")));
  log_.clear();
  // The same is not said twice.
  now_ += absl::Seconds(2);
  registry().HandleEvents();
  EXPECT_THAT(log_, IsEmpty());
  kernel_.DeleteRoutes(kOverlap);
  registry().HandleEvents();
  EXPECT_THAT(ConditionsOf(kRed), ElementsAre("NETWORK_NOT_STARTED"));
  now_ += absl::Seconds(2);
  registry().HandleEvents();
  EXPECT_THAT(ConditionsOf(kRed), IsEmpty());
  EXPECT_TRUE(CreateOn(kRed, kBob, "vm2").ok());
}

TEST_F(NetworksTest, IfNoneCanStartThatIsAnError) {
  OverlapRed();
  kernel_.AddRoute({.destination = Prefix("172.30.0.0/16"),
                    .ifindex = kernel_.Find("eth0")->ifindex,
                    .table = RT_TABLE_MAIN});
  EXPECT_EQ(ReasonIn(Start()), "SUBNET_CONFLICT");
}

TEST_F(NetworksTest, MoreAreAddedWhileOthersServe) {
  ASSERT_TRUE(CreateOn(kDefault, kBob, "vm1").ok());
  const NetworkName blue = NetworkName::Parse("blue").value();
  const NetworkSettings settings = {.name = blue,
                                    .kind = NetworkKind::kRouted,
                                    .bridge = Name("svblue0"),
                                    .prefix = Prefix("172.29.0.0/24"),
                                    .bridge_mac = Mac("c2:00:00:00:00:03")};
  const AddedNetwork added = {
      .settings = settings,
      .rules = {.name = blue, .bridge = settings.bridge, .prefix = settings.prefix},
      .guests = {.guests = {.bridge = settings.bridge, .prefix = settings.prefix}, .name = blue}};
  faults_.FailNext("WatchRoutesOf", absl::InternalError("injected"));
  EXPECT_FALSE(registry().Add({added}).ok());
  EXPECT_EQ(ReasonIn(CreateOn(blue, kBob, "vm2").status()), "NETWORK_NOT_FOUND");
  ASSERT_TRUE(registry().Add({added}).ok());
  EXPECT_EQ(CreateOn(blue, kBob, "vm2")->spec.ip, Ip("172.29.0.2"));
  EXPECT_EQ(api().GetTap(kBob, ByIds("vm1"))->spec.network, kDefault);
}

// One that is gone from the configuration.
class ClosedNetworkTest : public NetworksTest {
 protected:
  ClosedNetworkTest() {
    CreateOn(kRed, kBob, "vm1").value();
    others_[0].closed = true;
    Start().IgnoreError();
  }
};

TEST_F(ClosedNetworkTest, KeepsItsLeasesAndTakesNoOthers) {
  EXPECT_EQ(api().GetTap(kBob, ByIds("vm1"))->spec.network, kRed);
  EXPECT_TRUE(CreateOn(kRed, kBob, "vm1").ok());  // it is there
  const absl::Status refused = CreateOn(kRed, kBob, "vm2").status();
  EXPECT_EQ(ReasonIn(refused), "NETWORK_NOT_FOUND");
  EXPECT_EQ(refused.message(),
            "network red has gone from svnetd's configuration: it takes no new leases");
  EXPECT_THAT(ConditionsOf(kRed), ElementsAre("NETWORK_GONE"));
  EXPECT_THAT(ConditionsOf(kDefault), IsEmpty());
  EXPECT_THAT(Metrics().Render(api().Measure()),
              HasSubstr("svnet_conditions{network=\"red\",type=\"NETWORK_GONE\"} 1\n"));
  registry().SetClosed(kRed, false);
  EXPECT_TRUE(CreateOn(kRed, kBob, "vm2").ok());
  EXPECT_THAT(ConditionsOf(kRed), IsEmpty());
}

TEST_F(ClosedNetworkTest, GoesAwayWithItsLastLease) {
  EXPECT_NE(kernel_.Find("svred0"), nullptr);
  EXPECT_TRUE(MustRemove(kBob, ByIds("vm1")));
  Reap();
  registry().HandleEvents();
  EXPECT_EQ(kernel_.Find("svred0"), nullptr);
  EXPECT_FALSE(*firewall_.Stand());
  EXPECT_THAT(ConditionsOf(kRed), ElementsAre("NETWORK_GONE"));
  // It may come back.
  registry().SetClosed(kRed, false);
  EXPECT_TRUE(CreateOn(kRed, kBob, "vm2").ok());
  EXPECT_NE(kernel_.Find("svred0"), nullptr);
}

TEST_F(ClosedNetworkTest, ThatCannotGoAwaySaysSoOnce) {
  EXPECT_TRUE(api().RemoveTap(kBob, ByIds("vm1")).ok());
  log_.clear();
  for (int i = 0; i < 2; ++i) {
    faults_.FailNext("ReleaseBridge", absl::InternalError("injected"));
    Reap();
    registry().HandleEvents();
    // Not with each call.
    registry().HandleEvents();
    EXPECT_NE(kernel_.Find("svred0"), nullptr);
    now_ += absl::Seconds(11);
  }
  EXPECT_THAT(log_, ElementsAre(HasSubstr("injected")));
  registry().HandleEvents();
  EXPECT_EQ(kernel_.Find("svred0"), nullptr);
}

// Its guests would lose their rules as soon as those of the others are made.
TEST_F(NetworksTest, NoneStartsIfTheLeasesOfOneDoNotFitIt) {
  CreateOn(kDefault, kBob, "vm1").value();
  CreateOn(kRed, kBob, "vm2").value();
  others_[0].prefix = Prefix("172.29.0.0/24");
  const absl::Status refused = Start();
  EXPECT_EQ(ReasonIn(refused), "BRIDGE_SETUP_FAILED");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("TAP svvm2eth0 is a lease of 172.31.0.2"));
}

}  // namespace
}  // namespace svnet
