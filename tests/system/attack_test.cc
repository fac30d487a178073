// A guest that sends what it was not given: every attack with all layers on, with all
// but one off, and with none, to see that it is one.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "daemon/lease/names.h"
#include "tests/eventually.h"
#include "tests/system/clones.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kMark[] = "attack!";
constexpr uint16_t kIpv6Type = 0x86dd;

Ipv4Address Ip(absl::string_view text) { return Ipv4Address::Parse(text).value(); }
MacAddress Mac(absl::string_view text) { return MacAddress::Parse(text).value(); }

// Mallory and a victim, of the same owner: only the binding stands between them.
class AttackTest : public SystemTest {
 protected:
  void SetUp() override {
    Shell("echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet");  // other programs may set it
    svnetd_.reset(new Daemon(Start()));
    alice_.emplace(svnetd_->socket(), Member(kAlice));
    mallory_.emplace(MustCreateGuest(*alice_, "mallory"));
    victim_.emplace(MustCreateGuest(*alice_, "victim"));
  }

  // As if mallory's VMM ended.
  void LetGo() { mallory_.reset(); }

  // What svnetd has done stays; from here on the test may take layers away.
  void Freeze() { svnetd_->Stop(SIGKILL); }

  static void TurnOffReversePathFilters() {
    Shell("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
  }
  static void TurnOffInetRules() {
    Shell("nft delete table inet " + RulesTable() + "; nft delete table arp " + RulesTable());
  }
  static void TurnOffBridgeRules() { Shell("nft delete table bridge " + RulesTable()); }
  // Ports learn, are flooded, and forward no reserved group, as a bridge has it by default.
  static void TurnOffForwardingDatabase() {
    Shell(
        "for port in svmalleth0 svvicteth0; do"
        "  ip link set $port type bridge_slave learning on flood on group_fwd_mask 0;"
        "  bridge fdb show dev $port | grep static | while read mac rest; do"
        "    bridge fdb del $mac dev $port master; done; done");
  }
  static void TurnOffNeighbours() {
    Shell("ip neighbour flush dev svbr0; ip neighbour flush dev svbr0 nud permanent");
  }

  Client& alice() { return *alice_; }
  const TapGuest& mallory() const { return *mallory_; }
  const TapGuest& victim() const { return *victim_; }

 private:
  std::unique_ptr<Daemon> svnetd_;
  std::optional<Client> alice_;
  std::optional<TapGuest> mallory_;
  std::optional<TapGuest> victim_;
};

struct Attack {
  std::string name;
  std::string counter;  // of the bridge's rules; on a routed network, of the inet rules
  std::function<Frame(const TapGuest& mallory, const TapGuest& victim)> frame;
  std::vector<NetworkKind> kinds = kBridgeOnly;
  // Whether the kernel's routing drops it, whatever its settings are.
  bool never_routed = false;
};

// Of mallory's own, but for what `change` says.
std::function<Frame(const TapGuest&, const TapGuest&)> UdpWith(
    const std::function<void(UdpFields*, const TapGuest& victim)>& change) {
  return [change](const TapGuest& mallory, const TapGuest& victim) {
    UdpFields fields = {.from = mallory.ip(), .to = victim.lease_ip()};
    change(&fields, victim);
    const bool is_for_host = fields.to == victim.lease_gateway();
    return Ethernet(is_for_host ? victim.gateway_mac() : victim.mac(), mallory.mac(), kIpv4Type,
                    Udp(fields, kMark));
  };
}

std::function<Frame(const TapGuest&, const TapGuest&)> ArpWith(
    const std::function<void(ArpFields*, const TapGuest& victim)>& change) {
  return [change](const TapGuest& mallory, const TapGuest& victim) {
    ArpFields fields = {.operation = ArpOperation::kReply,
                        .sender_mac = mallory.mac(),
                        .sender_ip = mallory.ip(),
                        .target_ip = victim.lease_ip()};
    change(&fields, victim);
    return Ethernet(victim.mac(), mallory.mac(), kArpType, Arp(fields) + kMark);
  };
}

// A payload of mallory's to `to` (nullopt: the victim), of any type.
std::function<Frame(const TapGuest&, const TapGuest&)> Typed(uint16_t type,
                                                             const std::string& prefix,
                                                             std::optional<MacAddress> to = {}) {
  return [=](const TapGuest& mallory, const TapGuest& victim) {
    const std::string packet = Udp({.from = mallory.ip(), .to = victim.lease_ip()}, kMark);
    return Ethernet(to.value_or(victim.mac()), mallory.mac(), type, prefix + packet);
  };
}

std::vector<Attack> Attacks() {
  const auto from_mac = [](const std::function<MacAddress(const TapGuest&)>& mac) {
    return [mac](const TapGuest& mallory, const TapGuest& victim) {
      // Not to the victim's, which may be on mallory's side of the bridge by then.
      return Ethernet(kBroadcast, mac(victim), kIpv4Type,
                      Udp({.from = mallory.ip(), .to = victim.lease_ip()}, kMark));
    };
  };
  const std::string tag("\x00\x05\x08\x00", 4);      // VLAN 5, IPv4
  const std::string no_vlan("\x00\x00\x08\x00", 4);  // only a priority
  const std::string two_tags = std::string("\x00\x05\x81\x00", 4) + tag;
  // From fe80::1 to ff02::1; 35 bytes follow, of no protocol.
  const std::string ipv6 = std::string("\x60\0\0\0\0\x23\x3b\x40\xfe\x80", 10) +
                           std::string(13, '\0') + "\x01\xff\x02" + std::string(13, '\0') + "\x01";
  const std::string llc = "\x42\x42\x03";
  return {
      {"MacOfNobody", "foreign_mac",
       from_mac([](const TapGuest&) { return Mac("02:66:66:66:66:66"); })},
      {"MacOfAnother", "foreign_mac",
       from_mac([](const TapGuest& victim) { return victim.mac(); })},
      {"MacOfTheGateway", "foreign_mac",
       from_mac([](const TapGuest& victim) { return victim.gateway_mac(); })},
      {"AddressOfAnother", "foreign_address",
       UdpWith([](UdpFields* udp, const TapGuest& victim) { udp->from = victim.lease_ip(); }),
       kBothKinds},
      {"AddressOfAnotherToTheHost", "foreign_address",
       UdpWith([](UdpFields* udp, const TapGuest& victim) {
         udp->from = victim.lease_ip();
         udp->to = victim.lease_gateway();
       }),
       kBothKinds},
      {"AddressOfTheGateway", "foreign_address",
       UdpWith([](UdpFields* udp, const TapGuest& victim) { udp->from = victim.lease_gateway(); }),
       kBothKinds, true},
      {"AddressLeasedToNobody", "foreign_address",
       UdpWith([](UdpFields* udp, const TapGuest&) { udp->from = Ip("172.30.0.99"); }), kBothKinds},
      {"AddressOfElsewhere", "foreign_address",
       UdpWith([](UdpFields* udp, const TapGuest&) { udp->from = Ip("198.51.100.1"); }),
       kBothKinds},
      {"AddressNone", "foreign_address",
       UdpWith([](UdpFields* udp, const TapGuest&) { udp->from = Ip("0.0.0.0"); }), kBothKinds,
       true},
      {"AddressOfLoopback", "foreign_address",
       UdpWith([](UdpFields* udp, const TapGuest&) { udp->from = Ip("127.0.0.1"); }), kBothKinds,
       true},
      {"ToLoopback", "loopback_destination",
       UdpWith([](UdpFields* udp, const TapGuest&) { udp->to = Ip("127.0.0.1"); }), kBothKinds},
      {"DhcpServer", "dhcp_server", UdpWith([](UdpFields* udp, const TapGuest&) {
         udp->from_port = 67;
         udp->to_port = 68;
       }),
       kBothKinds},
      {"ArpForAnother", "foreign_arp",
       ArpWith([](ArpFields* arp, const TapGuest& victim) { arp->sender_ip = victim.lease_ip(); })},
      {"ArpForTheGateway", "foreign_arp", ArpWith([](ArpFields* arp, const TapGuest& victim) {
         arp->sender_ip = victim.lease_gateway();
       })},
      {"ArpWithAnothersMac", "foreign_arp",
       ArpWith([](ArpFields* arp, const TapGuest& victim) { arp->sender_mac = victim.mac(); })},
      {"ArpGratuitous", "foreign_arp", ArpWith([](ArpFields* arp, const TapGuest& victim) {
         arp->operation = ArpOperation::kRequest;
         arp->sender_ip = arp->target_ip = victim.lease_gateway();
       })},
      {"ArpReplyOfNobody", "foreign_arp",
       ArpWith([](ArpFields* arp, const TapGuest&) { arp->sender_ip = Ip("0.0.0.0"); })},
      {"ArpProbeWithAnothersMac", "foreign_arp",
       ArpWith([](ArpFields* arp, const TapGuest& victim) {
         arp->operation = ArpOperation::kRequest;
         arp->sender_ip = Ip("0.0.0.0");
         arp->sender_mac = victim.mac();
       })},
      {"ArpOfOddLength", "foreign_arp",
       ArpWith([](ArpFields* arp, const TapGuest&) { arp->mac_length = 8; })},
      {"Ipv6", "foreign_protocol", Typed(kIpv6Type, ipv6)},
      {"VlanTag", "foreign_protocol", Typed(0x8100, tag)},
      {"VlanTagOfPriorityOnly", "foreign_protocol", Typed(0x8100, no_vlan)},
      {"QinQ", "foreign_protocol", Typed(0x88a8, two_tags)},
      {"Bpdu", "foreign_protocol", Typed(60, llc, Mac("01:80:c2:00:00:00"))},
      {"Llc", "foreign_protocol", Typed(60, llc)},
      {"Mpls", "foreign_protocol", Typed(0x8847, "")},
      {"Pppoe", "foreign_protocol", Typed(0x8864, "")},
      {"Broadcast", "foreign_protocol", Typed(0x9000, "", kBroadcast)},
  };
}

// What only a guest with a view can pretend: to be what its view has, and it has not.
std::vector<Attack> AttacksOfClones() {
  const auto udp_from = [](const std::function<Ipv4Address(const TapGuest& victim)>& from) {
    return UdpWith([from](UdpFields* udp, const TapGuest& victim) { udp->from = from(victim); });
  };
  return {
      {"AddressOfItsViewsGateway", "foreign_address",
       udp_from([](const TapGuest& victim) { return victim.gateway(); }), kRoutedOnly},
      {"AddressOfItsViewsNeighbour", "foreign_address",
       udp_from([](const TapGuest& victim) { return Ipv4Address(victim.ip().value() + 1); }),
       kRoutedOnly},
      {"AddressOfItsViewsNetwork", "foreign_address",
       udp_from([](const TapGuest& victim) { return Ipv4Address(victim.ip().value() & ~0xffu); }),
       kRoutedOnly},
  };
}

// An attack, and who attacks whom.
struct AttackAmong {
  RowOnKind<Attack> attack;
  bool clones = false;

  std::string Name() const { return clones ? attack.row.name + "_clone" : attack.Name(); }
  friend std::ostream& operator<<(std::ostream& out, const AttackAmong& each) {
    return out << each.Name();
  }
};

// Those of a routed network also among clones.
std::vector<AttackAmong> AllAttacks() {
  std::vector<AttackAmong> all;
  for (const RowOnKind<Attack>& each : OnTheirKinds(Attacks())) {
    all.push_back({each});
    if (each.kind == NetworkKind::kRouted) all.push_back({each, true});
  }
  for (const RowOnKind<Attack>& each : OnTheirKinds(AttacksOfClones())) all.push_back({each, true});
  return all;
}

class EachAttackTest : public AttackTest, public ::testing::WithParamInterface<AttackAmong> {
 protected:
  Guests guests() const override { return {GetParam().attack.kind, GetParam().clones}; }
  static const Attack& Row() { return GetParam().attack.row; }

  // Whether it gets anywhere. On a routed network all goes by way of the gateway.
  bool Arrives() {
    const HostPortListener host(9999);
    Frame frame = Row().frame(mallory(), victim());
    if (IsRouted()) {
      const MacAddress::Octets& to = mallory().gateway_mac().octets();
      std::copy(to.begin(), to.end(), frame.begin());
    }
    mallory().Send(frame);
    const bool comes_to_host = host.HasReceived(kMark);
    return victim().HasReceived(kMark) || comes_to_host;
  }
  void ExpectDroppedAndCounted() {
    const std::string family = IsRouted() ? "inet" : "bridge";
    const int before = Counter(family, Row().counter);
    EXPECT_FALSE(Arrives());
    EXPECT_EQ(Counter(family, Row().counter), before + 1);
  }
};
INSTANTIATE_TEST_SUITE_P(Attacks, EachAttackTest, ::testing::ValuesIn(AllAttacks()),
                         [](const auto& each) { return each.param.Name(); });

TEST_P(EachAttackTest, IsDroppedBeforeItsConnectionIsTracked) {
  ExpectDroppedAndCounted();
  EXPECT_EQ(Shell("grep -c 'dport=9999' /proc/net/nf_conntrack || true"), "0\n");
}

// Those of the bridge, or, of a routed network, inet's.
TEST_P(EachAttackTest, IsDroppedByTheRulesAlone) {
  Freeze();
  if (!IsRouted()) {
    TurnOffInetRules();
    TurnOffForwardingDatabase();
    TurnOffNeighbours();
  }
  TurnOffReversePathFilters();
  ExpectDroppedAndCounted();
}

// It is these rules that stop it: otherwise it arrives.
TEST_P(EachAttackTest, ArrivesWithoutAnyLayer) {
  Freeze();
  TurnOffInetRules();
  if (!IsRouted()) {
    TurnOffBridgeRules();
    TurnOffForwardingDatabase();
  }
  TurnOffReversePathFilters();
  EXPECT_EQ(Arrives(), !IsRouted() || !Row().never_routed);
}

std::vector<AttackAmong> RoutedSpoofs() {
  std::vector<AttackAmong> all = AllAttacks();
  std::erase_if(all, [](const AttackAmong& each) {
    return each.attack.kind != NetworkKind::kRouted || each.attack.row.counter != "foreign_address";
  });
  return all;
}

class SpoofTest : public EachAttackTest {};
INSTANTIATE_TEST_SUITE_P(Spoofs, SpoofTest, ::testing::ValuesIn(RoutedSpoofs()),
                         [](const auto& each) { return each.param.Name(); });

TEST_P(SpoofTest, IsDroppedByTheReversePathFilterAlone) {
  Freeze();
  TurnOffInetRules();
  EXPECT_FALSE(Arrives());
}

// What a guest was given it may send.
class OwnFramesTest : public WithAllGuests<AttackTest> {
 protected:
  // To the victim, by the way that there is.
  MacAddress NextHop() const { return IsRouted() ? mallory().gateway_mac() : victim().mac(); }
};
INSTANTIATE_TEST_SUITE_P(Guests, OwnFramesTest, ::testing::ValuesIn(kAllGuests), NameOfGuests);

TEST_P(OwnFramesTest, Pass) {
  mallory().Send(NextHop(), kIpv4Type,
                 Udp({.from = mallory().ip(), .to = victim().lease_ip()}, "hello victim"));
  EXPECT_TRUE(victim().HasReceived("hello victim"));
  mallory().Send(kBroadcast, kArpType,
                 Arp({.operation = ArpOperation::kRequest,
                      .sender_mac = mallory().mac(),
                      .sender_ip = Ip("0.0.0.0"),
                      .target_ip = victim().lease_ip()}) +
                     "a probe");
  EXPECT_EQ(victim().HasReceived("a probe"), !IsRouted());
  const HostPortListener host(9999);
  mallory().Send(mallory().gateway_mac(), kIpv4Type,
                 Udp({.from = mallory().ip(), .to = mallory().gateway()}, "hello host"));
  EXPECT_TRUE(host.HasReceived("hello host"));
  EXPECT_TRUE(mallory().Pings(mallory().gateway()));
}

// What QEMU and Cloud Hypervisor send by the TAP of a guest that they have restored, from the
// reverse ARP of its MAC; and a guest that was told of it, by an ARP request for its own address.
Frame ReverseArp(const TapGuest& guest) {
  std::string announcement = Arp({.operation = static_cast<ArpOperation>(3),
                                  .sender_mac = guest.mac(),
                                  .sender_ip = Ip("0.0.0.0"),
                                  .target_ip = Ip("0.0.0.0")});
  const MacAddress::Octets mac = guest.mac().octets();
  std::copy(mac.begin(), mac.end(), announcement.begin() + 18);
  return Ethernet(kBroadcast, guest.mac(), 0x8035, announcement);
}

TEST_P(OwnFramesTest, ThatAnnounceItAfterARestoreAreNoAttack) {
  // A routed network sees of it what clones ask by ARP.
  const auto count = [&](const std::string& name) {
    if (!IsRouted()) return Counter("bridge", name);
    return name == "announcement" && guests().clones ? Counter("arp", name) : 0;
  };
  mallory().Receive();
  mallory().Send(ReverseArp(mallory()));
  EXPECT_EQ(count("announcement"), IsRouted() ? 0 : 1);
  mallory().Send(kBroadcast, kArpType,
                 Arp({.operation = ArpOperation::kRequest,
                      .sender_mac = mallory().mac(),
                      .sender_ip = mallory().ip(),
                      .target_ip = mallory().ip()}));
  EXPECT_EQ(count("announcement"), IsRouted() ? (guests().clones ? 1 : 0) : 2);
  for (const char* attack : {"foreign_mac", "foreign_protocol", "foreign_arp", "foreign_address"}) {
    EXPECT_EQ(count(attack), 0) << attack;
  }
  EXPECT_TRUE(mallory().Receive().empty());
  EXPECT_TRUE(mallory().Pings(mallory().gateway()));
  if (IsRouted()) return;
  // One that lies is.
  mallory().Send(ReverseArp(victim()));
  EXPECT_EQ(count("foreign_mac"), 1);
  Frame of_other_kind = ReverseArp(mallory());
  of_other_kind[14 + 7] = 4;  // a reverse reply, as a server's
  mallory().Send(of_other_kind);
  EXPECT_EQ(count("foreign_protocol"), 1);
  EXPECT_EQ(count("announcement"), 2);
  // Nor does half of one say anything.
  const Frame whole = ReverseArp(mallory());
  victim().Receive();
  for (size_t size = 14; size < 14 + 28; ++size) mallory().Send(whole.substr(0, size));
  EXPECT_EQ(count("foreign_protocol") + count("announcement"), 1 + 2 + 28);
  EXPECT_TRUE(victim().Receive().empty());
  EXPECT_TRUE(mallory().Pings(mallory().gateway()));
}

// Fragments, a header that lies, and half a frame: no way around the address.
TEST_P(OwnFramesTest, ThatAreBrokenAreNoWayAround) {
  std::string packet = Udp({.from = victim().lease_ip(), .to = victim().lease_ip()}, kMark);
  const std::string whole = packet;
  const auto launch = [&](const std::string& bytes) {
    mallory().Send(NextHop(), kIpv4Type, bytes);
    EXPECT_FALSE(victim().HasReceived(kMark));
  };
  packet[6] = '\x20';  // more fragments
  launch(packet);
  packet = whole;
  packet[7] = '\x01';  // a later fragment
  launch(packet);
  packet = whole;
  packet[0] = '\x41';  // a header of 4 bytes
  launch(packet);
  packet[0] = '\x65';  // version 6
  launch(packet);
  for (size_t length : {0, 1, 13, 14, 20, 33}) mallory().Send(Frame(length, '\x01'));
  EXPECT_TRUE(victim().Receive().empty());
}

// On a routed network: attacks that need a bridge.
class RoutedAttackTest : public OwnFramesTest {
 protected:
  static Frame To(const MacAddress& mac, Frame frame) {
    std::copy(mac.octets().begin(), mac.octets().end(), frame.begin());
    return frame;
  }
};
INSTANTIATE_TEST_SUITE_P(Guests, RoutedAttackTest,
                         ::testing::Values(Guests{NetworkKind::kRouted},
                                           Guests{NetworkKind::kRouted, /*clones=*/true}),
                         NameOfGuests);

// There no rule counts them: they have nowhere to go, whichever MAC they are sent to.
TEST_P(RoutedAttackTest, OfABridgeGetsNowhere) {
  const HostPortListener host(9999);
  const std::string list_neighbours = "ip neighbour show nud permanent | sort";
  const std::string neighbours = Shell(list_neighbours);
  int attacks = 0;
  for (const Attack& attack : Attacks()) {
    if (attack.kinds != kBridgeOnly) continue;
    const Frame frame = attack.frame(mallory(), victim());
    mallory().Send(frame);
    // A packet with the guest's own address is its own, whatever MAC it has, and with a tag that is
    // none.
    if (attack.counter != "foreign_mac" && attack.name != "VlanTagOfPriorityOnly") {
      mallory().Send(To(mallory().gateway_mac(), frame));
    }
    EXPECT_FALSE(victim().HasReceived(kMark)) << attack.name;
    EXPECT_FALSE(host.HasReceived(kMark)) << attack.name;
    ++attacks;
  }
  EXPECT_GT(attacks, 10);
  EXPECT_EQ(Shell(list_neighbours), neighbours);
  EXPECT_TRUE(victim().Pings(victim().gateway()));
  EXPECT_TRUE(mallory().Pings(mallory().gateway()));
}

// Nor is a MAC, or a tag that the kernel takes off, a way around the address.
TEST_P(RoutedAttackTest, WithAnotherMacOrATagHasNoOtherAddress) {
  const HostPortListener host(9999);
  const std::string no_vlan("\x00\x00\x08\x00", 4);
  int dropped = Counter("inet", "foreign_address");
  for (const Ipv4Address to : {victim().lease_ip(), mallory().lease_gateway()}) {
    const std::string packet = Udp({.from = victim().lease_ip(), .to = to}, kMark);
    const MacAddress& gateway = mallory().gateway_mac();
    mallory().Send(Ethernet(gateway, victim().mac(), kIpv4Type, packet));
    mallory().Send(Ethernet(gateway, Mac("02:66:66:66:66:66"), kIpv4Type, packet));
    mallory().Send(Ethernet(gateway, mallory().mac(), 0x8100, no_vlan + packet));
    EXPECT_FALSE(victim().HasReceived(kMark));
    EXPECT_FALSE(host.HasReceived(kMark));
    dropped += 3;
    EXPECT_EQ(Counter("inet", "foreign_address"), dropped);
  }
  // With its own it may: that is what the tag is for.
  mallory().Send(
      Ethernet(mallory().gateway_mac(), mallory().mac(), 0x8100,
               no_vlan + Udp({.from = mallory().ip(), .to = victim().lease_ip()}, "by a tag")));
  EXPECT_TRUE(victim().HasReceived("by a tag"));
}

// A frame to 01:80:c2:00:00:0e never comes to the bridge's hooks, but straight to the
// host's own stack, with any source address: unless its port says otherwise.
TEST_F(AttackTest, TheWayPastTheBridgeIsClosed) {
  const HostPortListener host(9999);
  const auto launch = [&] {
    const std::string packet = Udp({.from = victim().ip(), .to = mallory().gateway()}, kMark);
    mallory().Send(Mac("01:80:c2:00:00:0e"), kIpv4Type, packet);
    return host.HasReceived(kMark);
  };
  const int before = Counter("bridge", "foreign_address");
  EXPECT_FALSE(launch());
  EXPECT_EQ(Counter("bridge", "foreign_address"), before + 1);
  Freeze();
  TurnOffForwardingDatabase();
  TurnOffBridgeRules();
  EXPECT_FALSE(launch());
  EXPECT_EQ(Counter("inet", "past_the_bridge"), 1);
  TurnOffInetRules();
  TurnOffReversePathFilters();
  EXPECT_TRUE(launch());
}

TEST_F(AttackTest, ReservedGroupAddressesReachNobody) {
  const int before = Counter("bridge", "foreign_protocol");
  mallory().Send(Mac("01:80:c2:00:00:03"), 0x888e, kMark);
  EXPECT_EQ(Counter("bridge", "foreign_protocol"), before + 1);
}

// The forwarding database by itself: a stolen MAC changes nobody's way.
TEST_F(AttackTest, TheForwardingDatabaseAloneKeepsAMacInItsPlace) {
  const HostPortListener host(9999);
  Freeze();
  TurnOffInetRules();
  TurnOffBridgeRules();
  const auto steal = [&] {
    mallory().Send(Ethernet(kBroadcast, victim().mac(), 0x9000, "I am the victim"));
    mallory().Receive();
    host.Send(victim().ip(), "for the victim");
  };
  steal();
  EXPECT_TRUE(victim().HasReceived("for the victim"));
  EXPECT_FALSE(mallory().HasReceived("for the victim"));
  TurnOffForwardingDatabase();
  steal();
  EXPECT_TRUE(mallory().HasReceived("for the victim"));
}

// The same against flooding: what is for nobody known comes to nobody.
TEST_F(AttackTest, UnknownUnicastIsNotFlooded) {
  Freeze();
  TurnOffInetRules();
  TurnOffBridgeRules();
  const auto launch = [&] {
    mallory().Send(Mac("02:99:99:99:99:99"), kIpv4Type,
                   Udp({.from = mallory().ip(), .to = victim().ip()}, kMark));
    return victim().HasReceived(kMark);
  };
  EXPECT_FALSE(launch());
  TurnOffForwardingDatabase();
  EXPECT_TRUE(launch());
}

// The gateway's neighbours by themselves: it knows whose MAC an address has.
TEST_F(AttackTest, TheGatewaysNeighboursAloneCannotBePoisoned) {
  const HostPortListener host(9999);
  Freeze();
  TurnOffInetRules();
  TurnOffBridgeRules();
  const auto poison = [&] {
    mallory().Send(mallory().gateway_mac(), kArpType,
                   Arp({.operation = ArpOperation::kReply,
                        .sender_mac = mallory().mac(),
                        .sender_ip = victim().ip(),
                        .target_ip = mallory().gateway()}));
    host.Send(victim().ip(), "for the victim");
  };
  poison();
  EXPECT_TRUE(victim().HasReceived("for the victim"));
  EXPECT_FALSE(mallory().HasReceived("for the victim"));
  Shell(absl::StrCat("ip neighbour replace ", victim().ip().ToString(), " lladdr ",
                     victim().mac().ToString(), " dev svbr0 nud stale"));
  Shell("echo 0 > /proc/sys/net/ipv4/neigh/svbr0/locktime");
  // The kernel heeds no second answer in the same tick.
  EXPECT_TRUE(Eventually([&] {
    poison();
    return mallory().HasReceived("for the victim");
  }));
}

// Whichever it is in; in one that follows them it is a stranger's TAP.
TEST_F(AttackTest, ATapInALinkGroupOfTheRetiredIsCutOff) {
  Freeze();
  const std::string mac = mallory().mac().ToString();
  Shell(absl::StrCat("nft 'delete element bridge ", RulesTable(), " macs { svmalleth0 . ", mac,
                     " }; delete element bridge ", RulesTable(), " addresses { svmalleth0 . ", mac,
                     " . ", mallory().ip().ToString(), " }'"));
  const auto reaches_victim = [&](uint32_t number) {
    const uint32_t group = RetiredGroupOf(DeriveLinkGroup(*LinkName::Parse("svbr0")), number);
    Shell(absl::StrCat("ip link set svmalleth0 group ", group));
    mallory().Send(victim().mac(), kIpv4Type,
                   Udp({.from = mallory().ip(), .to = victim().ip()}, kMark));
    return victim().HasReceived(kMark);
  };
  for (uint32_t number = 0; number < kRetiredGroups; ++number) {
    EXPECT_FALSE(reaches_victim(number)) << number;
  }
  EXPECT_TRUE(reaches_victim(kRetiredGroups));
}

// Removed, it is cut off although its VMM holds it; made anew, the way is open again.
TEST_P(OwnFramesTest, OfARemovedGuestGetNowhere) {
  EXPECT_TRUE(alice().MustRemove("svmalleth0"));
  EXPECT_EQ(Shell("nft list ruleset | grep -c -e svmalleth0 -e '172[.]30[.]0[.]2 ' || true"),
            "0\n");
  // A TAP without its route is closed; its neighbour goes with it.
  const std::string way =
      IsRouted() ? "ip route show proto 115" : "ip neighbour show nud permanent";
  EXPECT_FALSE(absl::StrContains(Shell(way), "172.30.0.2 "));
  const std::string packet = Udp({.from = victim().ip(), .to = mallory().lease_ip()}, kMark);
  victim().Send(IsRouted() ? victim().gateway_mac() : mallory().mac(), kIpv4Type, packet);
  EXPECT_FALSE(mallory().HasReceived(kMark));
  EXPECT_FALSE(mallory().Pings(mallory().gateway(), absl::Milliseconds(100)));
  LetGo();
  const TapGuest again(MustCreateGuest(alice(), "mallory"));
  EXPECT_TRUE(again.Pings(again.gateway()));
}

// One guest or a thousand: the same rules.
TEST_F(SystemTest, AThousandGuestsHaveNoMoreRulesThanOne) {
  Daemon svnetd = Start({"--subnet=10.30.16.0/20", "--taps-per-user=1000"});
  Client alice(svnetd.socket(), Member(kAlice));
  const std::string rules = "nft -s -t list ruleset";
  alice.MustCreate("vm0");
  const std::string with_one = Shell(rules);
  for (int i = 1; i < 1000; ++i) alice.MustCreate(absl::StrCat("vm", i));
  EXPECT_EQ(Shell(rules), with_one);
  EXPECT_EQ(Shell("nft list map bridge " + RulesTable() + " zone_of | grep -o 0x000003e8 | wc -l"),
            "1000\n");
  EXPECT_EQ(alice.MustGetNetwork().conditions_size(), 0);
  // And they hold for the last as for the first.
  const TapGuest mallory(alice.MustCreate("vm998"));
  const TapGuest victim(alice.MustCreate("vm999"));
  EXPECT_TRUE(mallory.Pings(mallory.gateway()));
  for (const Attack& attack : Attacks()) {
    const int before = Counter("bridge", attack.counter);
    mallory.Send(attack.frame(mallory, victim));
    EXPECT_EQ(Counter("bridge", attack.counter), before + 1) << attack.name;
  }
  EXPECT_FALSE(victim.HasReceived(kMark));
}

}  // namespace
}  // namespace svnet::testing
