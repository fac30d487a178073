// Guests of several networks: what they reach, and what the configuration of one network means
// for those of another.
#include <gmock/gmock.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/several_networks.h"

namespace svnet::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Ipv4Address kOutside(0xcb007101);

class NetworksTest : public SeveralNetworksTest {
 protected:
  static void SendTo(const TapGuest& from, Ipv4Address to, uint16_t port) {
    from.Send(from.gateway_mac(), kIpv4Type,
              Udp({.from = from.ip(), .to = to, .to_port = port}, kMark));
  }
  // Sent with another guest's address, or another one of its network, by way of the gateway and to
  // everybody.
  static void SendForged(const TapGuest& from, const TapGuest& to) {
    for (const Ipv4Address source : {to.ip(), to.gateway(), Ipv4Address(to.ip().value() + 100)}) {
      const std::string packet = Udp({.from = source, .to = to.ip()}, kMark);
      from.Send(from.gateway_mac(), kIpv4Type, packet);
      from.Send(kBroadcast, kIpv4Type, packet);
      from.Send(to.mac(), kIpv4Type, packet);
    }
  }
  // Neither way, and with no address.
  static void ExpectNoWay(const TapGuest& one, const TapGuest& other) {
    for (const auto& [from, to] : {std::pair(&one, &other), {&other, &one}}) {
      EXPECT_FALSE(ReachesSomehow(*from, *to)) << from->ip().ToString();
      SendForged(*from, *to);
      EXPECT_FALSE(HasMark(*to)) << from->ip().ToString();
    }
  }
  static void ExpectBothWays(const TapGuest& one, const TapGuest& other) {
    for (const auto& [from, to] : {std::pair(&one, &other), {&other, &one}}) {
      EXPECT_TRUE(ByTheGateway(*from, *to)) << from->ip().ToString();
    }
  }
  // Each names that one, in the order of kAllNetworks; empty: none.
  void ServePeers(const std::vector<std::string>& names) {
    const auto line = [](const std::string& name) {
      return name.empty() ? "" : absl::StrCat("peers = [\"", name, "\"]");
    };
    Serve({.of_default = line(names[0]), .red = line(names[1]), .blue = line(names[2])});
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, NetworksTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(NetworksTest, GuestsOfEachReachTheirGatewayAndTheOutside) {
  const Internet internet;
  Serve();
  const std::vector<TapGuest> guests = MakeGuests();
  for (const TapGuest& guest : guests) {
    EXPECT_TRUE(guest.Pings(guest.gateway()));
    EXPECT_TRUE(guest.Pings(kOutside)) << guest.ip().ToString();
  }
  for (const std::string& name : kAllNetworks) {
    const v1::GetNetworkResponse network = As(kAlice).MustGetNetwork(name);
    EXPECT_EQ(network.name(), name);
    EXPECT_TRUE(network.bridge_up());
    EXPECT_EQ(network.addresses().used(), 1u);
    EXPECT_THAT(network.conditions(), IsEmpty()) << network.ShortDebugString();
  }
}

TEST_P(NetworksTest, GuestsOfDifferentOnesDoNotReachEachOther) {
  constexpr char kNone[] = "isolation = \"none\"";
  Serve({.of_default = kNone, .red = kNone, .blue = kNone});
  const std::vector<TapGuest> guests = MakeGuests();
  for (size_t i = 0; i < guests.size(); ++i) {
    for (size_t j = 0; j < i; ++j) ExpectNoWay(guests[i], guests[j]);
  }
  for (const std::string& name : kAllNetworks) {
    EXPECT_EQ(CounterOf(name, "between_networks"), 2) << name;
    EXPECT_GE(CounterOf(name, "foreign_address"), 6) << name;
  }
}

// Not even what its own network's guests may do.
TEST_P(NetworksTest, NobodyOutsideReachesThemUnasked) {
  const Internet internet;
  Serve();
  const std::vector<TapGuest> guests = MakeGuests();
  for (const TapGuest& guest : guests) {
    internet.Shell(absl::StrCat("ip route add ", guest.ip().ToString(), " via 203.0.113.2"));
    EXPECT_NE(internet.ShellExitCode("ping -c 1 -W 1 " + guest.ip().ToString()), 0);
    EXPECT_FALSE(guest.HasReceived("\x08\x00"));
  }
  // Nor with the address of a guest of another network.
  for (size_t i = 0; i < guests.size(); ++i) {
    const std::string source = guests[(i + 1) % guests.size()].ip().ToString();
    internet.Shell(absl::StrCat("ip address add ", source, "/32 dev lo"));
    EXPECT_NE(internet.ShellExitCode(
                  absl::StrCat("ping -c 1 -W 1 -I ", source, " ", guests[i].ip().ToString())),
              0);
    internet.Shell(absl::StrCat("ip address delete ", source, "/32 dev lo"));
  }
  for (const std::string& name : kAllNetworks) {
    EXPECT_GE(CounterOf(name, "unasked"), 1) << name;
    EXPECT_GE(CounterOf(name, "spoofed_source"), 1) << name;
  }
}

// Two of the networks that name each other, and the third.
struct Pair {
  int one;
  int other;
  int third;
};

class PeersTest : public NetworksTest {};
INSTANTIATE_TEST_SUITE_P(Kinds, PeersTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(PeersTest, ReachEachOtherIfBothNetworksSaySo) {
  Serve();
  const std::vector<TapGuest> guests = MakeGuests();
  for (const auto& [one, other, third] : {Pair{0, 1, 2}, {0, 2, 1}, {1, 2, 0}}) {
    std::vector<std::string> names(guests.size());
    names[one] = kAllNetworks[other];
    ServePeers(names);
    ExpectNoWay(guests[one], guests[other]);
    names[other] = kAllNetworks[one];
    ServePeers(names);
    ExpectBothWays(guests[one], guests[other]);
    ExpectNoWay(guests[one], guests[third]);
    ExpectNoWay(guests[other], guests[third]);
  }
}

// Whoever owns them; and those of one network are isolated from each other as before.
TEST_P(PeersTest, AreReachedWithTheirOwnAddressesByGuestsOfAllOwners) {
  ServePeers({kRed, kDefault, ""});
  const TapGuest alice = MakeGuest(kDefault, kAlice, "vm1");
  const TapGuest bob = MakeGuest(kRed, kBob, "vm1");
  const TapGuest neighbour = MakeGuest(kDefault, kBob, "vm2");
  alice.Send(alice.gateway_mac(), kIpv4Type, Packet(alice, bob));
  EXPECT_TRUE(bob.WaitFor(Packet(alice, bob).substr(12)));  // from its source address on
  EXPECT_TRUE(bob.Pings(bob.gateway()));
  EXPECT_TRUE(ByTheGateway(bob, alice));
  SendForged(alice, bob);
  EXPECT_FALSE(HasMark(bob));
  EXPECT_FALSE(ReachesSomehow(alice, neighbour));
  EXPECT_FALSE(ReachesSomehow(neighbour, alice));
}

TEST_P(NetworksTest, IsolationIsThatOfTheNetwork) {
  Serve({.of_default = "isolation = \"none\"", .blue = "isolation = \"all\""});
  for (const std::string& network : kAllNetworks) {
    const TapGuest alice1 = MakeGuest(network, kAlice, network + "1");
    const TapGuest alice2 = MakeGuest(network, kAlice, network + "2");
    const TapGuest bob = MakeGuest(network, kBob, network + "3");
    EXPECT_EQ(ReachesSomehow(alice1, alice2), network != kBlue) << network;
    EXPECT_EQ(ReachesSomehow(alice1, bob), network == kDefault) << network;
    EXPECT_EQ(ReachesSomehow(bob, alice1), network == kDefault) << network;
  }
}

TEST_P(NetworksTest, HostAccessIsThatOfTheNetwork) {
  Serve({.of_default = "host_access = \"deny\"\nhost_ports = [\"udp/5300\"]",
         .blue = "host_access = \"deny\""});
  const std::vector<TapGuest> guests = MakeGuests();
  const HostPortListener host1(5300);
  const HostPortListener host2(5301);
  for (size_t i = 0; i < guests.size(); ++i) {
    // Also by the address of another network's gateway.
    for (const TapGuest& other : guests) {
      SendTo(guests[i], other.gateway(), 5300);
      SendTo(guests[i], other.gateway(), 5301);
      EXPECT_EQ(host1.HasReceived(kMark), kAllNetworks[i] != kBlue) << kAllNetworks[i];
      EXPECT_EQ(host2.HasReceived(kMark), kAllNetworks[i] == kRed) << kAllNetworks[i];
    }
  }
}

TEST_P(NetworksTest, BlockedDestinationsAreThoseOfTheNetwork) {
  const Internet internet;
  internet.Shell("ip address add 198.51.100.1/32 dev lo");
  Serve({.of_default = "blocked_destinations = [\"198.51.100.0/24\", \"192.0.2.0/24\"]",
         .red = "blocked_destinations = [\"203.0.113.0/24\"]",
         .blue = "blocked_destinations = []"});
  const std::vector<TapGuest> guests = MakeGuests();
  const absl::Duration patience = absl::Milliseconds(300);
  std::vector<std::string> reached;
  for (size_t i = 0; i < guests.size(); ++i) {
    for (const char* to : {"203.0.113.1", "198.51.100.1"}) {
      if (guests[i].Pings(Ip(to), patience)) {
        reached.push_back(absl::StrCat(kAllNetworks[i], " ", to));
      }
    }
  }
  EXPECT_THAT(reached, ElementsAre("default 203.0.113.1", "red 198.51.100.1", "blue 203.0.113.1",
                                   "blue 198.51.100.1"));
  EXPECT_EQ(CounterOf(kDefault, "blocked_destination"), 1);
  EXPECT_EQ(CounterOf(kRed, "blocked_destination"), 1);
  EXPECT_EQ(CounterOf(kBlue, "blocked_destination"), 0);
}

// The host has a second uplink, up1, and its own rules say which network leaves by that.
class UplinkOfNetworkTest : public NetworksTest {
 protected:
  UplinkOfNetworkTest() {
    internet_.Shell(absl::StrCat(
        "ip address add 198.51.100.1/24 dev lo; ip link add down1 type veth peer name up1 netns ",
        getpid(), "; ip address add 192.0.2.1/24 dev down1; ip link set down1 up; nft \"",
        "add table ip seen; add set ip seen ways { type ifname . ipv4_addr; flags dynamic; size 9; "
        "};",
        "add chain ip seen in { type filter hook prerouting priority -300; };",
        "add rule ip seen in icmp type echo-request update @ways { iifname . ip saddr }\""));
    Shell(
        "ip address add 192.0.2.2/24 dev up1; ip address add 192.0.2.11/24 dev up1;"
        "ip link set up1 up; ip route add default via 192.0.2.1 table 100");
  }

  // By which links, and with which addresses, a ping of the guest's arrives on the internet.
  std::string WaysOf(const TapGuest& guest) {
    internet_.Shell("nft flush set ip seen ways");
    // Each time another address: connections that exist stay on their link, or are lost with it.
    const Ipv4Address outside(Ip("198.51.100.1").value() + ++pings_);
    EXPECT_TRUE(guest.Pings(outside)) << guest.ip().ToString();
    const std::string set = internet_.Shell("nft list set ip seen ways");
    const size_t begin = set.find("{ \"");
    return begin == std::string::npos ? set : set.substr(begin, set.find('}') - begin + 1);
  }
  void ExpectWays(const std::vector<TapGuest>& guests, const std::vector<std::string>& ways) {
    for (size_t i = 0; i < guests.size(); ++i) EXPECT_EQ(WaysOf(guests[i]), ways[i]) << i;
  }
  std::string ConditionsOfAll() {
    std::string all;
    for (const std::string& name : kAllNetworks) {
      const v1::GetNetworkResponse network = As(0).MustGetNetwork(name);
      for (const auto& each : network.conditions()) {
        absl::StrAppend(&all, name, ": ", each.ShortDebugString(), "\n");
      }
    }
    return all;
  }

  const Internet internet_;
  int pings_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Kinds, UplinkOfNetworkTest, ::testing::ValuesIn(kBothKinds), NameOfKind);

TEST_P(UplinkOfNetworkTest, IsThatOfTheHostsRuleForItsPrefixWithTheUplinksAddress) {
  constexpr char kFirst[] = "{ \"down0\" . 203.0.113.2 }";
  constexpr char kSecond[] = "{ \"down1\" . 192.0.2.2 }";
  Serve();
  const std::vector<TapGuest> guests = MakeGuests();
  ExpectWays(guests, {kFirst, kFirst, kFirst});
  Shell("ip rule add from 172.31.0.0/24 lookup 100");
  ExpectWays(guests, {kFirst, kSecond, kFirst});
  Shell("ip rule add from 172.29.0.0/24 lookup 100");
  ExpectWays(guests, {kFirst, kSecond, kSecond});
  Shell("ip rule delete from 172.31.0.0/24 lookup 100; ip rule add from 172.30.0.0/24 lookup 100");
  ExpectWays(guests, {kSecond, kFirst, kSecond});
  EXPECT_EQ(ConditionsOfAll(), "");
}

TEST_P(UplinkOfNetworkTest, IsLeftWithTheAddressThatItsRoutePrefers) {
  Shell(
      "ip rule add from 172.31.0.0/24 lookup 100;"
      "ip route replace default via 192.0.2.1 src 192.0.2.11 table 100");
  Serve();
  const std::vector<TapGuest> guests = MakeGuests();
  ExpectWays(guests, {"{ \"down0\" . 203.0.113.2 }", "{ \"down1\" . 192.0.2.11 }",
                      "{ \"down0\" . 203.0.113.2 }"});
  Shell("ip route replace default via 192.0.2.1 src 192.0.2.2 table 100");
  EXPECT_TRUE(Eventually([&] { return WaysOf(guests[1]) == "{ \"down1\" . 192.0.2.2 }"; }));
  EXPECT_EQ(ConditionsOfAll(), "");
}

// Such a rule also takes what is for another network, unless another one comes before it.
TEST_P(UplinkOfNetworkTest, NeedsARuleForPeersBeforeIt) {
  Shell("ip rule add from 172.31.0.0/24 lookup 100 priority 1000");
  ServePeers({kRed, kDefault, ""});
  const std::vector<TapGuest> guests = MakeGuests();
  SendTo(guests[1], guests[0].ip(), 7);
  EXPECT_FALSE(HasMark(guests[0]));
  Shell("ip rule add to 172.30.0.0/24 lookup main priority 999");
  ExpectBothWays(guests[0], guests[1]);
  ExpectNoWay(guests[1], guests[2]);
  EXPECT_EQ(WaysOf(guests[1]), "{ \"down1\" . 192.0.2.2 }");
  EXPECT_EQ(ConditionsOfAll(), "");
}

}  // namespace
}  // namespace svnet::testing
