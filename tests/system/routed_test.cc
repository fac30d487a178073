// What only routed networks have: what a guest cannot claim, and what the host answers it.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sandbox/internet.h"
#include "tests/system/three_guests.h"
#include "tests/system/udp.h"

namespace svnet::testing {
namespace {

using ::testing::IsEmpty;

constexpr Ipv4Address kOutside(0xcb007101);
const char kGatewayMacText[] = "02:fc:00:00:00:01";

class RoutedTest : public ThreeGuestsTest {
 protected:
  Guests guests() const override { return {NetworkKind::kRouted}; }

  // Whether it gets what is sent to its MAC, to everybody, to many, or to nobody, of any type.
  static bool GetsFrames(const TapGuest& from, const TapGuest& to) {
    for (const MacAddress& mac : {to.mac(), kBroadcast, Mac("01:00:5e:00:00:01"),
                                  Mac("02:99:99:99:99:99"), Mac("01:80:c2:00:00:0e")}) {
      from.Send(mac, kIpv4Type, Packet(from, to));
      from.Send(mac, 0x9000, Packet(from, to));
    }
    return HasMark(to) || ByFlooding(from, to);
  }
};

TEST_F(RoutedTest, AGuestReachesTheHostAndTheInternetAndIsReachedByTheHost) {
  const Internet internet;
  Begin();
  EXPECT_TRUE(alice1().Pings(alice1().gateway()));
  EXPECT_TRUE(alice1().Pings(kOutside));
  EXPECT_EQ(alice1().gateway_mac(), Mac(kGatewayMacText));
  const HostPortListener host(9999);
  host.Send(alice1().ip(), "hello guest");
  EXPECT_TRUE(alice1().WaitFor("hello guest"));
  const v1::GetNetworkResponse network = alice().MustGetNetwork();
  EXPECT_EQ(network.kind(), v1::NETWORK_KIND_ROUTED);
  EXPECT_FALSE(network.has_ports());
  EXPECT_TRUE(network.bridge_up());
  EXPECT_THAT(network.conditions(), IsEmpty());
  EXPECT_EQ(Shell("ip -o link show master svbr0"), "");
}

// Nobody outside opens a connection to a guest, and nobody pretends to be one.
TEST_F(RoutedTest, NobodyOutsideReachesAGuestUnasked) {
  const Internet internet;
  Begin();
  internet.Shell("ip route add 172.30.0.0/24 via 203.0.113.2");
  EXPECT_NE(internet.ShellExitCode("ping -c 1 -W 1 172.30.0.2"), 0);
  EXPECT_GE(Counter("inet", "unasked"), 1);
  internet.Shell(
      "ip address add 172.30.0.77/32 dev lo; ip route add 172.30.0.2/32 via 203.0.113.2 "
      "src 172.30.0.77");
  EXPECT_NE(internet.ShellExitCode("ping -c 1 -W 1 172.30.0.2"), 0);
  EXPECT_EQ(Shell("for f in all up0; do cat /proc/sys/net/ipv4/conf/$f/rp_filter; done | tr -d "
                  "'\\n'")
                .size(),
            2u);
  EXPECT_FALSE(alice1().HasReceived("\x08\x00"));
}

TEST_F(RoutedTest, WhatIsBetweenGuestsIsNotTracked) {
  Begin();
  EXPECT_TRUE(Reaches(alice1(), alice2()));
  EXPECT_EQ(Shell("grep -c 'dst=172.30.0.3' /proc/net/nf_conntrack || true"), "0\n");
}

TEST_F(RoutedTest, NoFrameReachesAnotherGuest) {
  Begin({"--isolation=none"});
  EXPECT_FALSE(GetsFrames(alice1(), alice2()));
  EXPECT_FALSE(GetsFrames(alice1(), bob()));
  // Also without any rule.
  Freeze();
  Shell("nft flush ruleset; for f in inet bridge arp; do nft delete table $f " + RulesTable() +
        " || true; done");
  EXPECT_FALSE(GetsFrames(alice1(), bob()));
}

TEST_F(RoutedTest, AnAddressThatNobodyHasGetsNothing) {
  Begin({"--isolation=none"});
  const int before = Counter("inet", "between_guests");
  alice1().Send(alice1().gateway_mac(), kIpv4Type,
                Udp({.from = alice1().ip(), .to = Ip("172.30.0.99")}, kMark));
  alice1().Send(alice1().gateway_mac(), kIpv4Type,
                Udp({.from = alice1().ip(), .to = Ip("172.30.0.255")}, kMark));
  EXPECT_EQ(Counter("inet", "between_guests"), before + 1);  // the host takes the broadcast
  EXPECT_FALSE(alice2().HasReceived(kMark));
  EXPECT_FALSE(bob().HasReceived(kMark));
}

// What it asks ARP for, and whether, and how soon, it is answered.
TEST_F(RoutedTest, TheHostAnswersArpForTheNetworkAtOnceAndForNothingElse) {
  const Internet internet;
  Begin();
  const auto is_answered = [&](Ipv4Address target, Ipv4Address sender) {
    alice1().Receive();
    alice1().Send(kBroadcast, kArpType,
                  Arp({.operation = ArpOperation::kRequest,
                       .sender_mac = alice1().mac(),
                       .sender_ip = sender,
                       .target_ip = target}));
    const std::vector<Frame> frames = alice1().Receive();
    return std::any_of(frames.begin(), frames.end(), [&](const Frame& frame) {
      return client::MacInArpReply(frame, target) == Mac(kGatewayMacText);
    });
  };
  // When Send returns the kernel has answered: it waits for nothing.
  for (const Ipv4Address target :
       {alice1().gateway(), alice2().ip(), bob().ip(), Ip("172.30.0.99")}) {
    EXPECT_TRUE(is_answered(target, alice1().ip())) << target.ToString();
  }
  EXPECT_TRUE(is_answered(alice1().gateway(), Ip("0.0.0.0")));
  EXPECT_FALSE(is_answered(alice1().ip(), Ip("0.0.0.0")));  // its own: nobody else has it
  EXPECT_FALSE(is_answered(kOutside, alice1().ip()));
  EXPECT_FALSE(is_answered(Ip("203.0.113.2"), alice1().ip()));  // the host's own
  EXPECT_FALSE(is_answered(alice1().gateway(), bob().ip()));    // it asks in another's name
}

TEST_F(RoutedTest, AnAddressThatTheHostRoutesElsewhereIsPassedOver) {
  const Internet internet;
  Begin();
  Shell("ip route add 172.30.0.5 dev up0");
  EXPECT_EQ(alice().MustCreate("vm5").guest_ip(), "172.30.0.6");
  EXPECT_EQ(Shell("ip route show 172.30.0.5"), "172.30.0.5 dev up0 scope link \n");
}

// A setting of the whole host that no TAP's own can lessen (Kubernetes with IPVS has it).
TEST_F(RoutedTest, AHostThatIgnoresArpIsSaidWithWhatHelps) {
  Begin();
  Shell("echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore");
  const auto ask = [&] {
    alice1().Receive();
    alice1().Send(kBroadcast, kArpType,
                  Arp({.operation = ArpOperation::kRequest,
                       .sender_mac = alice1().mac(),
                       .sender_ip = alice1().ip(),
                       .target_ip = alice1().gateway()}));
    return !alice1().Receive().empty();
  };
  EXPECT_FALSE(ask());
  const v1::GetNetworkResponse network = alice().MustGetNetwork();
  ASSERT_EQ(network.conditions_size(), 1);
  EXPECT_EQ(network.conditions(0).type(), "ARP_IGNORED");
  Shell(network.conditions(0).remedy());
  EXPECT_TRUE(ask());
  EXPECT_THAT(alice().MustGetNetwork().conditions(), IsEmpty());
}

// A first fragment of the victim's own is not completed by another's.
TEST_F(RoutedTest, NoFragmentOfAnotherCompletesADatagram) {
  Begin();
  const HostPortListener host(9999);
  const auto fragment = [&](const std::string& part, uint16_t offset_and_flags) {
    std::string packet = client::Ipv4Packet(17, alice2().ip(), alice2().gateway(), part);
    packet[4] = packet[5] = '\x07';  // the same datagram
    packet[6] = static_cast<char>(offset_and_flags >> 8);
    packet[7] = static_cast<char>(offset_and_flags);
    return WithHeaderChecksum(packet);
  };
  const std::string datagram = Udp({.from = alice2().ip(), .to = alice2().gateway()},
                                   absl::StrCat(std::string(16, 'x'), kMark))
                                   .substr(20);
  alice2().Send(alice2().gateway_mac(), kIpv4Type, fragment(datagram.substr(0, 24), 0x2000));
  const int before = Counter("inet", "foreign_address");
  alice1().Send(alice1().gateway_mac(), kIpv4Type, fragment(datagram.substr(24), 3));
  EXPECT_EQ(Counter("inet", "foreign_address"), before + 1);
  EXPECT_FALSE(host.HasReceived(kMark));
}

// One guest or a thousand: the same rules, and more of them than a bridge has ports.
TEST_F(RoutedTest, ARoutedNetworkHasMoreGuestsThanABridgeHasPorts) {
  Daemon svnetd = Start({"--subnet=10.30.16.0/20", "--taps-per-user=1100"});
  Client alice(svnetd.socket(), Member(kAlice));
  const std::string rules = "nft -s -t list ruleset";
  alice.MustCreate("vm0");
  const std::string with_one = Shell(rules);
  for (int i = 1; i < 1100; ++i) alice.MustCreate(absl::StrCat("vm", i));
  EXPECT_EQ(Shell(rules), with_one);
  EXPECT_THAT(alice.MustGetNetwork().conditions(), IsEmpty());
  const TapGuest one(alice.MustCreate("vm1098"));
  const TapGuest other(alice.MustCreate("vm1099"));
  EXPECT_TRUE(one.Pings(one.gateway()));
  one.Send(one.gateway_mac(), kIpv4Type, Udp({.from = one.ip(), .to = other.ip()}, kMark));
  EXPECT_TRUE(other.HasReceived(kMark));
}

}  // namespace
}  // namespace svnet::testing
