// The ways that packets take, on the real kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "daemon/kernel/netlink_kernel.h"
#include "tests/kernel/kernel_test.h"

namespace svnet {
namespace {

using testing::Shell;

Ipv4Address Ip(absl::string_view text) { return Ipv4Address::Parse(text).value(); }

// A host with a guests' bridge, and an uplink with a default route.
class RoutesTest : public testing::KernelTest {
 protected:
  RoutesTest() {
    bridge_ = kernel().EnsureBridge(Spec()).value().ifindex;
    Shell(
        "ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up;"
        "ip address add 192.0.2.10/24 dev up0; ip route add default via 192.0.2.1");
    uplink_ = IndexOf("up0");
    kernel().EnableForwarding().IgnoreError();
    kernel().TakeChanges().IgnoreError();
  }

  Ifindex IndexOf(absl::string_view name) {
    return kernel().FindLink(LinkName::Parse(name).value()).value().value().ifindex;
  }
  RouteAnswer FromGuest() {
    return kernel().FindRoute({.source = kGuest, .destination = kOutside, .in = bridge_}).value();
  }
  RouteAnswer ToGuest() {
    return kernel().FindRoute({.source = kOutside, .destination = kGuest, .in = uplink_}).value();
  }
  RouteAnswer FromHostToGuest() { return kernel().FindRoute({.destination = kGuest}).value(); }
  bool RoutesChanged() { return kernel().TakeChanges()->routes; }

  static constexpr Ipv4Address kGuest{0x0a090009};    // 10.9.0.9
  static constexpr Ipv4Address kOutside{0xc8000001};  // 200.0.0.1
  Ifindex bridge_ = 0;
  Ifindex uplink_ = 0;
};

TEST_F(RoutesTest, LeadOutAndBack) {
  EXPECT_EQ(FromGuest(), (RouteAnswer{.why = "",
                                      .out = uplink_,
                                      .table = 254,
                                      .gateway = Ip("192.0.2.1"),
                                      .preferred_source = std::nullopt}));
  EXPECT_EQ(ToGuest().out, bridge_);
  EXPECT_EQ(FromHostToGuest().out, bridge_);
  EXPECT_TRUE(kernel().FindRoute({.destination = Ip("192.0.2.10")})->is_local);
}

TEST_F(RoutesTest, SayTheirOwnMtuAndPreferredSource) {
  Shell(
      "ip address add 198.51.100.7/32 dev up0;"
      "ip route replace default via 192.0.2.1 src 198.51.100.7 mtu 1300");
  EXPECT_EQ(FromGuest().mtu, 1300u);
  EXPECT_EQ(FromGuest().preferred_source, Ip("198.51.100.7"));
  EXPECT_EQ(kernel().FindRoute({.destination = kOutside})->preferred_source, Ip("198.51.100.7"));
}

TEST_F(RoutesTest, UnderstandsNextHopObjectsAndSeveralNextHops) {
  Shell("ip nexthop add id 7 via 192.0.2.1 dev up0; ip route replace default nhid 7");
  EXPECT_EQ(FromGuest().out, uplink_);
  Shell("ip route replace default src 192.0.2.10 nexthop via 192.0.2.1 nexthop via 192.0.2.2");
  EXPECT_EQ(FromGuest().out, uplink_);
  EXPECT_EQ(FromGuest().preferred_source, Ip("192.0.2.10"));
}

TEST_F(RoutesTest, FollowsRoutingRules) {
  Shell(
      "ip link add vpn type veth peer name vpn1; ip link set vpn1 up; ip link set vpn up; ip "
      "address add 100.64.0.1/32 dev vpn;"
      "ip route add default dev vpn table 52; ip rule add pref 5270 lookup 52");
  EXPECT_EQ(FromHostToGuest().out, IndexOf("vpn"));
  EXPECT_EQ(FromHostToGuest().table, 52u);
}

// What routing drops is an answer, and no error.
TEST_F(RoutesTest, SaysWhyARouteLeadsNowhere) {
  const auto why = [this](absl::string_view change) {
    Shell(std::string(change));
    const RouteAnswer answer = FromGuest();
    EXPECT_TRUE(answer.dropped) << change;
    return answer.why;
  };
  EXPECT_EQ(why("sysctl -qw net.ipv4.conf.svbr0.forwarding=0"), "No route to host");
  Shell("sysctl -qw net.ipv4.conf.svbr0.forwarding=1");
  EXPECT_EQ(why("ip rule add pref 9 iif svbr0 prohibit"), "Permission denied");
  Shell("ip rule delete pref 9");
  EXPECT_EQ(why("ip rule add pref 9 iif svbr0 blackhole"), "Invalid argument");
  Shell("ip rule delete pref 9");
  EXPECT_EQ(why("ip route delete default"), "Network is unreachable");
}

TEST_F(RoutesTest, ALinkThatDoesNotForwardHasNone) {
  Shell("sysctl -qw net.ipv4.conf.up0.forwarding=0");
  EXPECT_TRUE(ToGuest().dropped);
  EXPECT_FALSE(kernel().IsForwarding(uplink_).value());
  EXPECT_TRUE(kernel().IsForwarding(bridge_).value());
  EXPECT_TRUE(kernel().IsForwarding().value());
}

TEST_F(RoutesTest, ALinkThatIsGoneCannotBeAskedAbout) {
  const auto answer = kernel().FindRoute({.source = kGuest, .destination = kOutside, .in = 4711});
  EXPECT_FALSE(answer.ok());
}

TEST_F(RoutesTest, ReportsChangesOfRoutesThatGuestsMayTake) {
  for (const char* change : {
           "ip route replace default via 192.0.2.2",           // the default route
           "ip route add 0.0.0.0/1 via 192.0.2.1",             // half of the internet
           "ip route add 10.9.0.128/25 via 192.0.2.1",         // a part of the guests' prefix
           "ip route add 10.9.0.9/32 via 192.0.2.1",           // a guest
           "ip route add 10.8.0.0/15 via 192.0.2.1 table 52",  // all around them
           "ip route delete 10.9.0.9/32",
           "ip rule add pref 5270 lookup 52",
           "ip rule delete pref 5270",
           "sysctl -qw net.ipv4.conf.up0.forwarding=0",
           "sysctl -qw net.ipv4.conf.up0.rp_filter=1",
       }) {
    EXPECT_FALSE(RoutesChanged());
    Shell(change);
    EXPECT_TRUE(RoutesChanged()) << change;
  }
}

// A router has a million of them, and thousands change in a second.
TEST_F(RoutesTest, ReportsNoChangeOfRoutesThatAreNotForGuests) {
  for (const char* change : {
           "ip route add 10.8.0.0/16 via 192.0.2.1",
           "ip route add 10.9.1.0/24 via 192.0.2.1",
           "ip route add 10.10.0.0/15 via 192.0.2.1",
           "ip route add 64.0.0.0/2 via 192.0.2.1",
           "ip route delete 10.9.1.0/24",
           "ip address add 203.0.113.9/24 dev up0",
           "ip link add other type veth peer name another",
       }) {
    Shell(change);
    EXPECT_FALSE(RoutesChanged()) << change;
  }
}

}  // namespace
}  // namespace svnet
