// What becomes of guests when the host's routes change.
#include "daemon/network/route_observer.h"

#include <linux/rtnetlink.h>

#include "daemon/address/source_address.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

const Ipv4Prefix kEverywhere = Ipv4Prefix::Containing(Ipv4Address(0), 0);

class RouteObserverTest : public NetworkRegistryTest {
 protected:
  RouteObserverTest() {
    on_health_ = [this](const HealthOfNetworks& health) { health_ = health.at(NetworkName()); };
    vpn_ = kernel_.AddLink({.name = "vpn0", .mtu = 1280, .up = true});
  }

  Condition OnlyCondition() {
    const NetworkStatus status = api().GetNetwork(kRoot, {}).value();
    EXPECT_EQ(status.conditions.size(), 1u);
    return status.conditions.empty() ? Condition() : status.conditions.front();
  }
  // Nobody has asked: the kernel has said that something changed.
  void Hear() { registry().HandleEvents(); }
  Ifindex uplink() { return kernel_.Find("eth0")->ifindex; }
  void GiveUplink(const std::string& address) {
    kernel_.AddAddress(
        {.ifindex = uplink(), .address = Ip(address), .prefix = Prefix(address + "/32")});
  }

  Ifindex vpn_ = 0;
  NetworkHealth health_;
};

TEST_F(RouteObserverTest, FindsNothingWrongWithAnOrdinaryHost) {
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_EQ(health_, NetworkHealth());
  EXPECT_THAT(firewall_.preferred_sources(), IsEmpty());
}

TEST_F(RouteObserverTest, HearsOfARouteThatTakesWhatIsForGuests) {
  MustCreate(kAlice, "vm1");
  kernel_.AddRoute({.destination = Prefix("172.30.0.0/30"), .ifindex = vpn_, .table = 52});
  Hear();
  EXPECT_FALSE(health_.network);
  EXPECT_THAT(Conditions(), ElementsAre("SUBNET_CONFLICT", "NO_ROUTE_TO_GUESTS"));
  const NetworkStatus status = api().GetNetwork(kRoot, {}).value();
  EXPECT_THAT(
      status.conditions,
      Contains(AllOf(Field(&Condition::message, HasSubstr("leaves by vpn0 (route table 52)")),
                     Field(&Condition::remedy,
                           HasSubstr("ip rule add priority 1 to 172.30.0.0/24 lookup main")))));
  kernel_.DeleteRoutes(Prefix("172.30.0.0/30"));
  Hear();
  EXPECT_TRUE(health_.network);
  EXPECT_THAT(Conditions(), IsEmpty());
}

class LinkForwardingTest : public RouteObserverTest,
                           public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Links, LinkForwardingTest, ::testing::Values("eth0", "svbr0"));

TEST_P(LinkForwardingTest, IsReportedWithTheCommandThatHelpsIfItIsOff) {
  MustCreate(kAlice, "vm1");
  kernel_.TurnForwardingOff(GetParam());
  const Condition condition = OnlyCondition();
  EXPECT_EQ(condition.type, "FORWARDING_OFF");
  EXPECT_THAT(condition.message, HasSubstr(absl::StrCat("link ", GetParam(), " does not forward")));
  EXPECT_EQ(condition.remedy,
            absl::StrCat("sysctl -w net.ipv4.conf.", GetParam(), ".forwarding=1"));
  EXPECT_FALSE(health_.network);
  kernel_.TurnForwardingOn(GetParam());
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_TRUE(health_.network);
}

// Guests reach what the host reaches; that the host reaches nothing is its own affair.
TEST_F(RouteObserverTest, AHostWithoutADefaultRouteIsNoTrouble) {
  MustCreate(kAlice, "vm1");
  kernel_.DeleteRoutes(kEverywhere);
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_TRUE(health_.network);
}

TEST_F(RouteObserverTest, WithoutLeasesNothingIsWrong) {
  registry();
  kernel_.AddRoute({.destination = Prefix("172.30.0.0/16"), .ifindex = vpn_, .table = 52});
  Hear();
  EXPECT_TRUE(health_.network);
  EXPECT_THAT(Conditions(), ElementsAre("SUBNET_CONFLICT"));
}

TEST_F(RouteObserverTest, GuestsLeaveWithTheAddressThatTheRoutePrefers) {
  GiveUplink("203.0.113.7");
  kernel_.Prefer(kEverywhere, Ip("203.0.113.7"));
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(firewall_.preferred_sources(), ElementsAre(Pair(uplink(), Ip("203.0.113.7"))));
  // Masquerade takes it by itself, and cleans up behind an address that goes.
  kernel_.Prefer(kEverywhere, Ip("192.0.2.10"));
  Hear();
  EXPECT_THAT(firewall_.preferred_sources(), IsEmpty());
  kernel_.Prefer(kEverywhere, Ip("203.0.113.7"));
  Hear();
  EXPECT_THAT(firewall_.preferred_sources(), ElementsAre(Pair(uplink(), Ip("203.0.113.7"))));
}

// Half of the internet by a VPN, and the rest by the uplink.
TEST_F(RouteObserverTest, EachUplinkHasItsOwnPreferredAddress) {
  MustCreate(kAlice, "vm1");
  kernel_.AddRoute({.destination = Prefix("0.0.0.0/1"), .ifindex = vpn_, .table = RT_TABLE_MAIN});
  kernel_.Prefer(Prefix("0.0.0.0/1"), Ip("100.64.0.1"));
  kernel_.Prefer(kEverywhere, Ip("203.0.113.7"));
  Hear();
  EXPECT_THAT(firewall_.preferred_sources(),
              ElementsAre(Pair(uplink(), Ip("203.0.113.7")), Pair(vpn_, Ip("100.64.0.1"))));
  kernel_.Delete("vpn0");
  kernel_.DeleteRoutes(Prefix("0.0.0.0/1"));
  Hear();
  EXPECT_THAT(firewall_.preferred_sources(), ElementsAre(Pair(uplink(), Ip("203.0.113.7"))));
}

TEST_F(RouteObserverTest, WhatCannotBeAskedIsAskedAgain) {
  MustCreate(kAlice, "vm1");
  kernel_.Prefer(kEverywhere, Ip("203.0.113.7"));
  faults_.FailNext("FindRoute", absl::InternalError("no"));
  Hear();
  EXPECT_THAT(firewall_.preferred_sources(), IsEmpty());
  now_ += absl::Seconds(2);
  Hear();
  EXPECT_THAT(firewall_.preferred_sources(), ElementsAre(Pair(uplink(), Ip("203.0.113.7"))));
}

// TAPs come and go, and are up and down as their holders like.
TEST_F(RouteObserverTest, TapsAreNoReasonToAsk) {
  MustCreate(kAlice, "vm1");
  Hear();
  faults_.TakeCalls();
  MustCreate(kAlice, "vm2");
  kernel_.SetCarrier("svvm1eth0", true);
  MustRemove(kAlice, ByIds("vm2"));
  Hear();
  EXPECT_THAT(faults_.TakeCalls(), Not(Contains("FindRoute")));
}

// A router's own tables may have a million of them.
TEST_F(RouteObserverTest, StatusReadsNoListOfRoutesUnlessOneMayConcernIt) {
  MustCreate(kAlice, "vm1");
  Conditions();
  faults_.FailNext("ListRoutes", absl::InternalError("nobody should have asked"));
  EXPECT_THAT(Conditions(), IsEmpty());
}

LinkAddress At(Ifindex link, const std::string& prefix, bool is_source = true) {
  const std::string address = prefix.substr(0, prefix.find('/'));
  const int length = std::stoi(prefix.substr(prefix.find('/') + 1));
  return {.ifindex = link,
          .address = Ip(address),
          .prefix = Ipv4Prefix::Containing(Ip(address), length),
          .is_source = is_source};
}

TEST(MasqueradeAddressTest, IsTheFirstOfTheNextHopsPrefixOrElseTheFirst) {
  const std::vector<LinkAddress> addresses = {At(2, "10.0.0.5/32"), At(2, "192.0.2.8/24", false),
                                              At(2, "192.0.2.9/24"), At(2, "192.0.2.10/24"),
                                              At(3, "198.51.100.1/24")};
  EXPECT_EQ(MasqueradeAddress(addresses, 2, Ip("192.0.2.1")), Ip("192.0.2.9"));
  EXPECT_EQ(MasqueradeAddress(addresses, 2, Ip("203.0.113.1")), Ip("10.0.0.5"));
  EXPECT_EQ(MasqueradeAddress(addresses, 3, Ip("203.0.113.1")), Ip("198.51.100.1"));
  EXPECT_EQ(MasqueradeAddress(addresses, 4, Ip("203.0.113.1")), std::nullopt);
}

TEST(UplinkTest, FitsTheRouteAndATap) {
  testing::Faults faults;
  testing::FakeKernel kernel(&faults);
  EXPECT_EQ(FindUplink(&kernel).value()->name, "eth0");
  EXPECT_EQ(FindUplink(&kernel).value()->mtu, 1500u);
  kernel.Find("eth0")->mtu = 65536;
  EXPECT_EQ(FindUplink(&kernel).value()->mtu, 65521u);
  kernel.DeleteRoutes(kEverywhere);
  EXPECT_EQ(FindUplink(&kernel).value(), std::nullopt);
}

}  // namespace
}  // namespace svnet
