// Who reaches whom: guests of one owner and of two, by the bridge and by the gateway;
// the host; the world outside.
#include "absl/strings/str_cat.h"
#include "tests/sandbox/internet.h"
#include "tests/system/three_guests.h"

namespace svnet::testing {
namespace {

struct Mode {
  std::string name;
  Guests guests;
  int bridge_netfilter;
};

// With bridged IPv4 in the inet hooks, as Docker's module has it, and without.
class EitherModeTest : public ThreeGuestsTest, public ::testing::WithParamInterface<Mode> {
 protected:
  EitherModeTest() {
    Shell(absl::StrCat("echo ", GetParam().bridge_netfilter,
                       " > /proc/sys/net/bridge/bridge-nf-call-iptables"));
  }
  Guests guests() const override { return GetParam().guests; }
};
INSTANTIATE_TEST_SUITE_P(BridgeNetfilter, EitherModeTest,
                         ::testing::Values(Mode{"bridge_off", {NetworkKind::kBridge}, 0},
                                           Mode{"bridge_on", {NetworkKind::kBridge}, 1},
                                           Mode{"routed", {NetworkKind::kRouted}, 1},
                                           Mode{"clone", {NetworkKind::kRouted, true}, 1}),
                         [](const auto& each) { return each.param.name; });

TEST_P(EitherModeTest, GuestsOfOneOwnerReachEachOtherAndOfTwoNever) {
  Begin();
  EXPECT_TRUE(Reaches(alice1(), alice2()));
  EXPECT_TRUE(Reaches(alice2(), alice1()));
  EXPECT_EQ(ByFlooding(alice1(), alice2()), !IsRouted());
  const std::string family = IsRouted() ? "inet" : "bridge";
  const int before = Counter(family, "foreign_zone");
  for (const auto& [from, to] : {std::pair(&alice1(), &bob()), {&bob(), &alice1()}}) {
    EXPECT_FALSE(ByTheBridge(*from, *to));
    EXPECT_FALSE(ByFlooding(*from, *to));
    EXPECT_FALSE(ByTheGateway(*from, *to));
  }
  // The gateway is the only way on a routed network.
  EXPECT_GE(Counter(family, "foreign_zone"), before + (IsRouted() ? 2 : 6));
  EXPECT_EQ(Counter("inet", "between_guests"), IsRouted() ? 0 : 2);
}

TEST_P(EitherModeTest, WithIsolationAllNobodyReachesAnybody) {
  Begin({"--isolation=all"});
  for (const TapGuest* to : {&alice2(), &bob()}) {
    EXPECT_FALSE(ByTheBridge(alice1(), *to));
    EXPECT_FALSE(ByFlooding(alice1(), *to));
    EXPECT_FALSE(ByTheGateway(alice1(), *to));
  }
  EXPECT_TRUE(alice1().Pings(alice1().gateway()));
}

TEST_P(EitherModeTest, WithIsolationNoneAllReachEachOther) {
  Begin({"--isolation=none"});
  EXPECT_TRUE(Reaches(alice1(), alice2()));
  EXPECT_TRUE(Reaches(alice1(), bob()));
  EXPECT_EQ(ByFlooding(bob(), alice1()), !IsRouted());
}

class BridgeIsolationTest : public ThreeGuestsTest {};

TEST_F(BridgeIsolationTest, TheBridgesRulesAloneSeparateOwners) {
  Begin();
  Freeze();
  Shell("nft delete table inet " + RulesTable());
  EXPECT_TRUE(ByTheBridge(alice1(), alice2()));
  EXPECT_FALSE(ByTheBridge(alice1(), bob()));
  EXPECT_FALSE(ByFlooding(alice1(), bob()));
}

TEST_F(BridgeIsolationTest, TheInetRulesAloneCloseTheWayByTheGateway) {
  Begin();
  Freeze();
  Shell("nft delete table bridge " + RulesTable());
  EXPECT_FALSE(ByTheGateway(alice1(), bob()));
  // Without them it is open: the gateway forwards.
  Shell("nft delete table inet " + RulesTable());
  EXPECT_TRUE(ByTheGateway(alice1(), bob()));
  EXPECT_TRUE(ByTheBridge(alice1(), bob()));
  EXPECT_TRUE(ByFlooding(alice1(), bob()));
}

TEST_F(BridgeIsolationTest, TheBridgeAloneSeparatesAll) {
  Begin({"--isolation=all"});
  Freeze();
  Shell("nft flush ruleset");
  EXPECT_FALSE(ByTheBridge(alice1(), alice2()));
  EXPECT_FALSE(ByFlooding(alice1(), bob()));
}

class IsolationTest : public WithAllGuests<ThreeGuestsTest> {};
INSTANTIATE_TEST_SUITE_P(Guests, IsolationTest, ::testing::ValuesIn(kAllGuests), NameOfGuests);

// A restart with another isolation is in force at once, for all guests that run.
TEST_P(IsolationTest, ChangesWithARestart) {
  Begin();
  Freeze();
  EXPECT_FALSE(Reaches(alice1(), bob()));
  Daemon again = Start({"--isolation=none"});
  EXPECT_TRUE(Reaches(alice1(), bob()));
}

TEST_P(IsolationTest, NothingOfAnothersTrafficComesToAGuest) {
  const Internet internet;
  Begin();
  bob().Receive();
  alice2().Receive();
  EXPECT_TRUE(alice1().Pings(Ip("203.0.113.1")));
  EXPECT_FALSE(bob().HasReceived("svnet ping"));
  EXPECT_FALSE(alice2().HasReceived("svnet ping"));
}

class HostTest : public WithAllGuests<ThreeGuestsTest> {
 protected:
  static void SendTo(const TapGuest& guest, Ipv4Address to, uint16_t port,
                     const std::string& text) {
    guest.Send(guest.gateway_mac(), kIpv4Type,
               Udp({.from = guest.ip(), .to = to, .to_port = port}, text));
  }
};
INSTANTIATE_TEST_SUITE_P(Guests, HostTest, ::testing::ValuesIn(kAllGuests), NameOfGuests);

TEST_P(HostTest, AllowsGuestsByDefault) {
  Begin();
  const HostPortListener host(5300);
  SendTo(alice1(), alice1().gateway(), 5300, "hello host");
  EXPECT_TRUE(host.HasReceived("hello host"));
}

TEST_P(HostTest, DeniesAllButItsPortsAndPings) {
  const Internet internet;
  Begin({"--host-access=deny", "--host-ports=udp/5300,tcp/443"});
  const HostPortListener open(5300);
  const HostPortListener closed(5301);
  // Any of the host's addresses.
  for (const Ipv4Address address : {alice1().gateway(), Ip("203.0.113.2")}) {
    SendTo(alice1(), address, 5300, "hello host");
    SendTo(alice1(), address, 5301, "hello host");
    EXPECT_TRUE(open.HasReceived("hello host"));
    EXPECT_FALSE(closed.HasReceived("hello host"));
    EXPECT_TRUE(alice1().Pings(address));
  }
  EXPECT_EQ(Counter("inet", "host_denied"), 2);
  EXPECT_TRUE(alice1().Pings(Ip("203.0.113.1")));
  // What the host begins is answered.
  closed.Send(alice1().lease_ip(), "a question");
  EXPECT_TRUE(alice1().WaitFor("a question"));
  alice1().Send(
      alice1().gateway_mac(), kIpv4Type,
      Udp({.from = alice1().ip(), .to = alice1().gateway(), .from_port = 9999, .to_port = 5301},
          "an answer"));
  EXPECT_TRUE(closed.HasReceived("an answer"));
}

TEST_P(HostTest, BlockedDestinationsAreReachedByNoWay) {
  const Internet internet;
  internet.Shell(
      "ip address add 169.254.169.254/32 dev down0; ip address add 10.7.7.7/32 dev down0");
  Begin();
  EXPECT_FALSE(alice1().HasReceived("svnet ping"));
  EXPECT_TRUE(alice1().Pings(Ip("10.7.7.7")));
  alice1().Send(alice1().gateway_mac(), kIpv4Type,
                PingRequest(alice1().ip(), Ip("169.254.169.254")));
  EXPECT_EQ(Counter("inet", "blocked_destination"), 1);
  // The host itself still may.
  EXPECT_EQ(ShellExitCode("ping -c 1 -w 5 169.254.169.254"), 0);
}

// Not by somebody's NAT either, which makes another destination of it on the way.
TEST_P(HostTest, BlockedDestinationsAreBlockedBehindNat) {
  const Internet internet;
  Begin();
  Shell(
      "nft add table ip others;"
      "nft 'add chain ip others before { type nat hook prerouting priority dstnat; }';"
      "nft add rule ip others before ip daddr 169.254.169.254 dnat to 203.0.113.1;"
      "nft add rule ip others before ip daddr 169.254.170.2 dnat to 203.0.113.2");
  for (const char* to : {"169.254.169.254", "169.254.170.2"}) {  // to outside, to the host
    alice1().Send(alice1().gateway_mac(), kIpv4Type, PingRequest(alice1().ip(), Ip(to)));
  }
  EXPECT_EQ(Counter("inet", "blocked_destination"), 2);
}

TEST_P(HostTest, BlockedDestinationsAreConfigured) {
  const Internet internet;
  internet.Shell("ip address add 169.254.169.254/32 dev down0");
  Begin({"--blocked-destinations=203.0.113.0/24"});
  EXPECT_TRUE(alice1().Pings(Ip("169.254.169.254")));
  alice1().Send(alice1().gateway_mac(), kIpv4Type, PingRequest(alice1().ip(), Ip("203.0.113.1")));
  EXPECT_EQ(Counter("inet", "blocked_destination"), 1);
}

// A block that holds the network itself does not cut guests off from their gateway.
TEST_P(HostTest, ABlockOfAllPrivateAddressesLeavesTheNetworkItself) {
  Begin({"--blocked-destinations=172.16.0.0/12,10.0.0.0/8"});
  EXPECT_TRUE(alice1().Pings(alice1().gateway()));
}

}  // namespace
}  // namespace svnet::testing
