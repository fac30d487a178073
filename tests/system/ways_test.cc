// Every way by which a frame of a guest's could come to another owner's guest, or to what
// the host keeps for itself: by each MAC that the bridge has, by the host's own stack and
// back, by what others route and translate.
#include <array>
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/sandbox/internet.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"
#include "tests/system/tap_holder.h"
#include "tests/system/udp.h"

namespace svnet::testing {
namespace {

constexpr char kMark[] = "by whatever way";
constexpr uint16_t kPort = 5300;

Ipv4Address Ip(absl::string_view text) { return Ipv4Address::Parse(text).value(); }
MacAddress Mac(absl::string_view text) { return MacAddress::Parse(text).value(); }

// On a bridge with bridged IPv4 in the inet hooks, as Docker's module has it, and without.
struct Mode {
  std::string name;
  Guests guests;
  int bridge_netfilter;

  friend std::ostream& operator<<(std::ostream& out, const Mode& each) { return out << each.name; }
};
const std::vector<Mode> kBridgeModes = {{"bridge_off", {NetworkKind::kBridge}, 0},
                                        {"bridge_on", {NetworkKind::kBridge}, 1}};
const std::vector<Mode> kAllModes = {{"bridge_off", {NetworkKind::kBridge}, 0},
                                     {"bridge_on", {NetworkKind::kBridge}, 1},
                                     {"routed", {NetworkKind::kRouted}, 1},
                                     {"clone", {NetworkKind::kRouted, /*clones=*/true}, 1}};

class WaysTest : public SystemTest, public ::testing::WithParamInterface<Mode> {
 protected:
  WaysTest() {
    Shell(absl::StrCat("echo ", GetParam().bridge_netfilter,
                       " > /proc/sys/net/bridge/bridge-nf-call-iptables"));
  }
  Guests guests() const override { return GetParam().guests; }

  void Begin(const std::vector<std::string>& flags = {}) {
    flags_ = flags;
    svnetd_.reset(new Daemon(Start(flags)));
    Client alice(svnetd_->socket(), Member(kAlice));
    Client bob(svnetd_->socket(), Member(kBob));
    alice_.emplace(MustCreateGuest(alice, "vm1"));
    bob_.emplace(MustCreateGuest(bob, "vm3"));
  }
  // What svnetd has done stays; from here on the test may take layers away.
  void Freeze() { svnetd_->Stop(SIGKILL); }
  void StopAndStartAgain(int signal) {
    svnetd_->Stop(signal);
    svnetd_.reset(new Daemon(Start(flags_)));
  }

  const std::string& socket() const { return svnetd_->socket(); }
  const TapGuest& alice() const { return *alice_; }
  const TapGuest& bob() const { return *bob_; }

  static MacAddress MacOf(const std::string& link) {
    const std::string text = Shell("ip -o link show " + link + " | grep -o 'ether [0-9a-f:]*'");
    return Mac(absl::StripAsciiWhitespace(absl::string_view(text).substr(6)));
  }

  // Whether the host's port gets what Alice sends to that MAC, for that address.
  bool ReachesHost(const HostPortListener& host, const MacAddress& mac, Ipv4Address to) const {
    alice().Send(mac, kIpv4Type, Udp({.from = alice().ip(), .to = to, .to_port = kPort}, kMark));
    return host.HasReceived(kMark);
  }
  bool ReachesBob(const MacAddress& mac) const {
    alice().Send(mac, kIpv4Type, Udp({.from = alice().ip(), .to = bob().lease_ip()}, kMark));
    return bob().HasReceived(kMark);
  }

 private:
  std::vector<std::string> flags_;
  std::unique_ptr<Daemon> svnetd_;
  std::optional<TapGuest> alice_, bob_;
};
INSTANTIATE_TEST_SUITE_P(Modes, WaysTest, ::testing::ValuesIn(kAllModes),
                         ::testing::PrintToStringParamName());

class BridgeWaysTest : public WaysTest {};
INSTANTIATE_TEST_SUITE_P(Modes, BridgeWaysTest, ::testing::ValuesIn(kBridgeModes),
                         ::testing::PrintToStringParamName());

// A MAC that the bridge takes for its own: of its ports, of what stands on it, or written
// into its table.
TEST_P(BridgeWaysTest, OnlyTheGatewaysMacLeadsUpToTheHost) {
  Begin();
  Shell(
      "ip link add oper0 type veth peer name oper1; ip link set oper0 master svbr0 up;"
      "ip link set oper1 up; ip link add mv0 link svbr0 type macvlan mode bridge;"
      "ip link set mv0 up; bridge fdb add 02:77:77:77:77:77 dev svbr0 self local");
  const HostPortListener host(kPort);
  const int before = Counter("bridge", "foreign_destination");
  int sent = 0;
  for (const MacAddress& mac : {MacOf("svvm1eth0"), MacOf("svvm3eth0"), MacOf("oper0"),
                                MacOf("mv0"), Mac("02:77:77:77:77:77")}) {
    EXPECT_FALSE(ReachesBob(mac)) << mac.ToString();
    EXPECT_FALSE(ReachesHost(host, mac, alice().gateway())) << mac.ToString();
    sent += 2;
  }
  // A reserved group address goes up by the port itself.
  EXPECT_FALSE(ReachesHost(host, Mac("01:80:c2:00:00:02"), alice().gateway()));
  EXPECT_EQ(Counter("bridge", "foreign_destination"), before + sent + 1);
  EXPECT_TRUE(ReachesHost(host, alice().gateway_mac(), alice().gateway()));
  EXPECT_TRUE(ReachesHost(host, kBroadcast, alice().gateway()));
}

TEST_P(BridgeWaysTest, TheBridgesRulesAloneKeepThoseFramesFromTheHost) {
  Begin();
  const MacAddress own = MacOf("svvm1eth0");
  Freeze();
  Shell("nft delete table inet " + RulesTable());
  EXPECT_FALSE(ReachesBob(own));
  // It is these rules: without them the host's stack sends it on to Bob.
  Shell("nft delete table bridge " + RulesTable());
  EXPECT_TRUE(ReachesBob(own));
}

// Whatever entry the bridge has for a MAC: by a port goes what is for its own guest.
TEST_P(BridgeWaysTest, APortCarriesWhatIsForItsOwnGuestOnly) {
  Begin();
  const HostPortListener host(kPort);
  Freeze();
  const auto steal = [&] {
    Shell(absl::StrCat("bridge fdb replace ", bob().mac().ToString(),
                       " dev svvm1eth0 master static"));
    alice().Receive();
    host.Send(bob().ip(), kMark);
  };
  const int before = Counter("bridge", "foreign_receiver");
  steal();
  EXPECT_FALSE(alice().HasReceived(kMark));
  EXPECT_EQ(Counter("bridge", "foreign_receiver"), before + 1);
  Shell("nft delete table bridge " + RulesTable());
  steal();
  EXPECT_TRUE(alice().HasReceived(kMark));
}

// What is said to many on the bridge, and to one by IP.
TEST_P(WaysTest, AFrameToManyIsNoWayToOneAddress) {
  Begin();
  for (const char* mac : {"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "01:80:c2:00:00:02",
                          "01:80:c2:00:00:0e", "33:33:00:00:00:01"}) {
    EXPECT_FALSE(ReachesBob(Mac(mac))) << mac;
  }
}

// With a loose source route to `next` (RFC 791).
std::string WithSourceRoute(std::string packet, Ipv4Address next) {
  std::string option = {'\x83', '\7', '\4'};
  for (int shift = 24; shift >= 0; shift -= 8) {
    option += static_cast<char>(next.value() >> shift);
  }
  option += '\1';  // no operation, to fill up
  packet.insert(20, option);
  packet[0] = '\x47';
  packet[3] = static_cast<char>(packet[3] + 8);
  return WithHeaderChecksum(packet);
}

std::string Fragment(std::string packet, int offset, bool more) {
  packet[6] = static_cast<char>((more ? 0x20 : 0) | offset >> 8);
  packet[7] = static_cast<char>(offset);
  return WithHeaderChecksum(packet);
}

// An ICMP redirect of the route to `to`, as the gateway would send it.
std::string Redirect(const TapGuest& from, Ipv4Address to) {
  std::string packet = PingRequest(from.ip(), to) + kMark;
  packet[20] = 5;
  packet[21] = 1;
  return packet;
}

TEST_P(WaysTest, TheHostsStackIsNoWay) {
  Begin();
  Shell(
      "for f in /proc/sys/net/ipv4/conf/*/accept_source_route; do echo 1 > $f; done;"
      "ip address add 172.30.0.99/24 dev svbr0; ip address add 10.99.0.1/24 dev svbr0;"
      // Where the kernel has VLANs.
      "if ip link add link svbr0 name svbr0.5 type vlan id 5 2> /dev/null; then"
      "  ip link set svbr0.5 up; ip address add 10.99.5.1/24 dev svbr0.5; fi");
  const std::string to_gateway = Udp({.from = alice().ip(), .to = alice().gateway()}, kMark);
  const std::string to_bob = Udp({.from = alice().ip(), .to = bob().lease_ip()}, kMark);
  for (const std::string& packet :
       {to_bob, WithSourceRoute(to_gateway, bob().lease_ip()),
        WithSourceRoute(to_bob, bob().lease_ip()), Fragment(to_bob, 0, true),
        Fragment(to_bob, 3, false), Redirect(alice(), bob().lease_ip()),
        Redirect(alice(), alice().gateway()),
        PingRequest(alice().ip(), bob().lease_ip()) + kMark}) {
    alice().Send(alice().gateway_mac(), kIpv4Type, packet);
    alice().Send(Mac("01:00:5e:00:00:01"), kIpv4Type, packet);
    alice().Send(kBroadcast, kIpv4Type, packet);
    // In a VLAN, for the host's link there.
    alice().Send(alice().gateway_mac(), 0x8100, std::string("\0\5\x08\0", 4) + packet);
    EXPECT_FALSE(bob().HasReceived(kMark));
  }
}

// Somebody's DNAT sends a guest's packets to another guest, or its frames back to it.
TEST_P(WaysTest, OthersDnatIsNoWay) {
  Begin();
  Shell(
      absl::StrCat("nft add table ip others;"
                   "nft 'add chain ip others before { type nat hook prerouting priority dstnat; }';"
                   "nft add rule ip others before ip daddr { 172.30.0.1, 198.51.100.7 } dnat to ",
                   bob().lease_ip().ToString()));
  for (const Ipv4Address to : {alice().gateway(), Ip("172.30.0.1"), Ip("198.51.100.7")}) {
    alice().Send(alice().gateway_mac(), kIpv4Type, Udp({.from = alice().ip(), .to = to}, kMark));
    EXPECT_FALSE(bob().HasReceived(kMark)) << to.ToString();
  }
}

// --- Guests' addresses as the source of what comes from elsewhere ---

TEST_P(WaysTest, AGuestsAddressIsNoSourceOutside) {
  const Internet internet;
  Shell("sysctl -qw net.ipv4.ip_forward=1");  // no other rule of ours is in the way
  Begin();
  const HostPortListener host(kPort);
  internet.Shell(absl::StrCat(
      "ip address add ", bob().lease_ip().ToString(),
      "/32 dev lo; ip route add 198.51.100.9 via "
      "203.0.113.2; nft add table ip relay; nft add counter ip relay seen;"
      "nft \"add chain ip relay before { type filter hook prerouting priority -300; }\";"
      "nft add rule ip relay before ip daddr 198.51.100.9 counter name seen drop"));
  const auto relayed = [&] {
    return std::stoi(
        internet.Shell("nft list counter ip relay seen | grep -o \"packets [0-9]*\" | cut -c 9-"));
  };
  const auto send = [&] {
    const std::string from = absl::StrCat(" -I ", bob().lease_ip().ToString());
    internet.ShellExitCode(absl::StrCat("ping -c 1 -W 0.2", from, " 203.0.113.2 || true; ",
                                        "ping -c 1 -W 0.2", from, " 198.51.100.9 || true; ",
                                        "echo ", kMark, " > /dev/udp/203.0.113.2/5300"));
  };
  // The last is sent from the address that the route prefers.
  internet.Shell(
      absl::StrCat("ip route add 203.0.113.2/32 dev down0 src ", bob().lease_ip().ToString()));
  const auto set_filter = [](int mode) {
    Shell(absl::StrCat("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo ", mode,
                       " > $f; done"));
  };
  for (const int mode : {0, 1, 2}) {
    set_filter(mode);
    bob().Receive();
    send();
    EXPECT_EQ(relayed(), 0) << mode;
    EXPECT_TRUE(bob().Receive().empty()) << mode;
    EXPECT_FALSE(host.HasReceived(kMark)) << mode;
    if (mode == 0) {
      EXPECT_EQ(Counter("inet", "spoofed_source"), 3);
    }
  }
  // It is these rules.
  Freeze();
  set_filter(0);
  Shell("nft flush chain inet " + RulesTable() + " forward; nft flush chain inet " + RulesTable() +
        " input");
  send();
  EXPECT_GT(relayed(), 0);
  EXPECT_TRUE(host.HasReceived(kMark));
  EXPECT_EQ(internet.Shell("nft list counter ip relay seen | grep -c packets"), "1\n");
}

// NAT alone: what does not come by the bridge does not leave with the host's address.
TEST_P(WaysTest, OnlyWhatComesByTheBridgeIsMasqueraded) {
  const Internet internet;
  Shell("sysctl -qw net.ipv4.ip_forward=1");  // no other rule of ours is in the way
  Begin();
  EXPECT_TRUE(alice().Pings(Ip("203.0.113.1")));
  internet.Shell(absl::StrCat(
      "ip address add ", bob().lease_ip().ToString(),
      "/32 dev lo; ip route add 198.51.100.9 via "
      "203.0.113.2; nft add table ip relay; nft add counter ip relay masqueraded;"
      "nft add counter ip relay seen;"
      "nft \"add chain ip relay before { type filter hook prerouting priority -300; }\";"
      "nft add rule ip relay before ip daddr 198.51.100.9 counter name seen;"
      "nft add rule ip relay before ip saddr 203.0.113.2 ip daddr 198.51.100.9 counter name "
      "masqueraded"));
  Freeze();
  Shell(
      "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done;"
      "nft flush chain inet " +
      RulesTable() + " forward");
  internet.ShellExitCode(
      absl::StrCat("ping -c 1 -W 0.2 -I ", bob().lease_ip().ToString(), " 198.51.100.9"));
  const auto count = [&](const std::string& name) {
    return internet.Shell("nft list counter ip relay " + name +
                          " | grep -o \"packets [0-9]*\" | cut -c 9-");
  };
  EXPECT_EQ(count("seen"), "1\n");
  EXPECT_EQ(count("masqueraded"), "0\n");
}

// --- The host's own 127.0.0.0/8 ---

class LoopbackTest : public WaysTest {
 protected:
  // As kube-proxy has it.
  static void RouteLocalNet() {
    Shell("for f in /proc/sys/net/ipv4/conf/*/route_localnet; do echo 1 > $f; done");
  }
  bool Reaches(const HostPortListener& host, const char* to) const {
    return ReachesHost(host, alice().gateway_mac(), Ip(to));
  }
  // The first layer; on a routed network there is one.
  const char* FirstFamily() const { return IsRouted() ? "inet" : "bridge"; }
  static void DeleteRules(const std::string& family) {
    Shell("nft delete table " + family + " " + RulesTable());
  }
  // Which would drop what a clone sends: the rules no longer make the lease's address of its own.
  static void TurnOffReversePathFilters() {
    Shell("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, LoopbackTest, ::testing::ValuesIn(kAllModes),
                         ::testing::PrintToStringParamName());

TEST_P(LoopbackTest, IsNeverReachedByAGuest) {
  Begin();
  RouteLocalNet();
  const HostPortListener host(kPort);
  for (const char* to : {"127.0.0.1", "127.255.255.254"}) {
    const int before = Counter(FirstFamily(), "loopback_destination");
    EXPECT_FALSE(Reaches(host, to));
    EXPECT_EQ(Counter(FirstFamily(), "loopback_destination"), before + 1);
  }
  Freeze();
  if (!IsRouted()) {
    DeleteRules("bridge");
    EXPECT_FALSE(Reaches(host, "127.0.0.1"));  // by the inet rules alone
    EXPECT_EQ(Counter("inet", "loopback_to_host"), 1);
  }
  DeleteRules("inet");
  TurnOffReversePathFilters();
  EXPECT_TRUE(Reaches(host, "127.0.0.1"));
}

TEST_P(LoopbackTest, IsNeverReachedBySomebodysNat) {
  Begin();
  RouteLocalNet();
  Shell(
      "nft add table ip others;"
      "nft 'add chain ip others before { type nat hook prerouting priority dstnat; }';"
      "nft add rule ip others before ip daddr 127.0.0.5 dnat to 172.30.0.1;"
      "nft add rule ip others before ip daddr 198.51.100.7 dnat to 127.0.0.1");
  const HostPortListener host(kPort);
  for (const char* to : {"127.0.0.5", "198.51.100.7"}) EXPECT_FALSE(Reaches(host, to)) << to;
  Freeze();
  if (!IsRouted()) {
    DeleteRules("bridge");
    for (const char* to : {"127.0.0.5", "198.51.100.7"}) EXPECT_FALSE(Reaches(host, to)) << to;
  }
  DeleteRules("inet");
  TurnOffReversePathFilters();
  for (const char* to : {"127.0.0.5", "198.51.100.7"}) EXPECT_TRUE(Reaches(host, to)) << to;
}

// A guest is never 127.0.0.1 to a service of the host's.
TEST_P(LoopbackTest, IsNoSourceOfAGuests) {
  Begin();
  RouteLocalNet();
  TurnOffReversePathFilters();
  const HostPortListener host(kPort);
  const auto reaches = [&] {
    alice().Send(alice().gateway_mac(), kIpv4Type,
                 Udp({.from = Ip("127.0.0.1"), .to = alice().gateway(), .to_port = kPort}, kMark));
    return host.HasReceived(kMark);
  };
  EXPECT_FALSE(reaches());
  if (IsRouted()) return;
  Freeze();
  DeleteRules("bridge");
  EXPECT_FALSE(reaches());
}

// --- Frames of every kind ---

// How many of each mode: SVNET_FRAMES, or 5,000.
int FrameCount() {
  const char* given = std::getenv("SVNET_FRAMES");
  return given == nullptr ? 5000 : std::atoi(given);
}

// Makes frames, all of which hold kMark, for somebody who wants to reach Bob from Alice.
class FrameMaker {
 public:
  FrameMaker(uint32_t seed, const TapGuest& alice, const TapGuest& bob,
             std::vector<MacAddress> local)
      : random_(seed), alice_(alice), bob_(bob), local_(std::move(local)) {}

  Frame Make() {
    const MacAddress from = Pick<MacAddress>({alice_.mac(), alice_.mac(), alice_.mac(),
                                              alice_.mac(), bob_.mac(), alice_.gateway_mac(),
                                              Mac("02:66:66:66:66:66"), Mac("03:66:66:66:66:66")});
    std::vector<MacAddress> to = {
        bob_.mac(),
        bob_.mac(),
        alice_.gateway_mac(),
        alice_.gateway_mac(),
        alice_.mac(),
        kBroadcast,
        Mac("01:00:5e:00:00:01"),
        Mac("33:33:00:00:00:01"),
        Mac("02:99:99:99:99:99"),
        MacAddress({0x01, 0x80, 0xc2, 0, 0, static_cast<uint8_t>(Number(16))})};
    to.insert(to.end(), local_.begin(), local_.end());
    const uint16_t type = Pick<uint16_t>({kIpv4Type, kIpv4Type, kIpv4Type, kIpv4Type, kArpType,
                                          0x86dd, 0x8100, 0x88a8, 0x8847, 0x8864, 0x888e, 0x8809,
                                          60, static_cast<uint16_t>(Number(0x10000))});
    return Ethernet(Pick(to), from, type, Payload(type));
  }

 private:
  uint32_t Number(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  uint8_t Byte() { return static_cast<uint8_t>(Number(256)); }
  template <typename T>
  T Pick(const std::vector<T>& of) {
    return of[Number(static_cast<uint32_t>(of.size()))];
  }

  Ipv4Address Source() {
    return Pick<Ipv4Address>({alice_.ip(), alice_.ip(), alice_.ip(), alice_.lease_ip(), bob_.ip(),
                              bob_.lease_ip(), alice_.gateway(), Ip("203.0.113.1"), Ip("127.0.0.1"),
                              Ip("0.0.0.0"), Ip("255.255.255.255"),
                              Ipv4Address(static_cast<uint32_t>(random_()))});
  }
  Ipv4Address Destination() {
    return Pick<Ipv4Address>({bob_.lease_ip(), bob_.lease_ip(), bob_.lease_ip(), bob_.ip(),
                              alice_.gateway(), Ip("203.0.113.1"), Ip("203.0.113.2"),
                              Ip("172.30.0.255"), Ip("172.30.0.0"), Ip("255.255.255.255"),
                              Ip("224.0.0.1"), Ip("127.0.0.1")});
  }

  std::string Packet() {
    std::string packet = Udp({.from = Source(),
                              .to = Destination(),
                              .from_port = Pick<uint16_t>({40000, 67, 53}),
                              .to_port = Pick<uint16_t>({9999, 68, 7, 5300})},
                             kMark);
    switch (Number(8)) {
      case 0:
        return WithSourceRoute(packet, bob_.lease_ip());
      case 1:
        return Fragment(packet, static_cast<int>(Number(8)), Number(2) == 0);
      case 2:
        packet[9] = static_cast<char>(Byte());  // another protocol
        return WithHeaderChecksum(packet);
      case 3:
        return Redirect(alice_, Destination());
      case 4:
        packet[8] = static_cast<char>(Number(3));  // at its last hop: an error quotes it
        return WithHeaderChecksum(packet);
      case 5:
        packet[Number(20)] = static_cast<char>(Byte());  // broken
        return packet;
      default:
        return packet;
    }
  }

  std::string Payload(uint16_t type) {
    if (type == kArpType) {
      return Arp({.operation = Pick<ArpOperation>({ArpOperation::kRequest, ArpOperation::kReply}),
                  .sender_mac = Pick<MacAddress>({alice_.mac(), alice_.mac(), bob_.mac()}),
                  .sender_ip = Source(),
                  .target_ip = Destination()}) +
             kMark;
    }
    if (type == 0x8100 || type == 0x88a8) return std::string("\0\5\x08\0", 4) + Packet();
    if (type == 60) return "\x42\x42\x03" + Packet();
    return Packet();
  }

  std::mt19937 random_;
  const TapGuest& alice_;
  const TapGuest& bob_;
  const std::vector<MacAddress> local_;
};

class EveryKindOfFrameTest : public WaysTest {
 protected:
  // The gateway's errors quote what they are about to who has sent it: none of this is for
  // Bob, who is never the sender.
  static bool HasMark(const TapGuest& guest) {
    const std::vector<Frame> frames = guest.Receive();
    return std::any_of(frames.begin(), frames.end(),
                       [](const Frame& frame) { return absl::StrContains(frame, kMark); });
  }
  static std::vector<MacAddress> LocalMacs() {
    return {MacOf("svvm1eth0"), MacOf("svvm3eth0"), MacOf("up0")};
  }
  static uint32_t Seed() {
    const char* given = std::getenv("SVNET_SEED");
    return given == nullptr ? std::random_device()() : static_cast<uint32_t>(std::atoi(given));
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, EveryKindOfFrameTest, ::testing::ValuesIn(kAllModes),
                         ::testing::PrintToStringParamName());

TEST_P(EveryKindOfFrameTest, ReachesNoOtherOwnersGuest) {
  const Internet internet;
  Begin();
  const uint32_t seed = Seed();
  FrameMaker maker(seed, alice(), bob(), LocalMacs());
  for (int i = 0; i < FrameCount(); ++i) {
    const Frame frame = maker.Make();
    alice().Send(frame);
    alice().Receive();
    ASSERT_FALSE(HasMark(bob())) << "frame " << i << " of SVNET_SEED=" << seed;
  }
  EXPECT_TRUE(bob().Pings(bob().gateway()));
  EXPECT_TRUE(alice().Pings(alice().gateway()));
}

TEST_P(EveryKindOfFrameTest, ReachesNoneWhileSvnetdIsRestartedAndKilled) {
  const Internet internet;
  Begin();
  const uint32_t seed = Seed();
  FrameMaker maker(seed, alice(), bob(), LocalMacs());
  std::atomic<bool> done = false;
  std::atomic<int> sent = 0;
  std::thread sender([&] {
    while (!done || sent < FrameCount()) {
      alice().Send(maker.Make());
      ++sent;
    }
  });
  bool reached = false;
  for (int i = 0; i < 6; ++i) {
    StopAndStartAgain(i % 2 == 0 ? SIGKILL : SIGTERM);
    reached |= HasMark(bob());
  }
  done = true;
  sender.join();
  reached |= HasMark(bob());
  EXPECT_FALSE(reached) << "SVNET_SEED=" << seed;
  EXPECT_TRUE(bob().Pings(bob().gateway()));
}

// The sender's owner has other TAPs, to which it does all that the kernel lets it, Bob's MAC
// among it, and makes them anew when they are taken from it.
TEST_P(EveryKindOfFrameTest, ReachesNoneUnderAHolderThatCallsEveryIoctl) {
  const Internet internet;
  Begin();
  const uint32_t seed = Seed();
  FrameMaker maker(seed, alice(), bob(), LocalMacs());
  const std::vector<HolderAction> actions = AllHolderActions(bob().mac().ToString(), kBob);
  std::atomic<bool> done = false;
  std::atomic<size_t> acted = 0;
  std::thread holder([&] {
    Client mallory(socket(), Member(kAlice));
    std::optional<TapHolder> tap;
    for (int i = 0; !done; ++i) {
      if (tap.has_value() && !tap->IsGone()) {
        actions[acted++ % actions.size()].act(*tap);
        continue;
      }
      const Client::Answer answer = mallory.Create(absl::StrCat("m", i % 8));
      if (answer.status.ok()) tap.emplace(answer.tap, kAlice, 1);
    }
  });
  bool reached = false;
  for (int i = 0; (i < FrameCount() || acted < 2 * actions.size()) && !reached; ++i) {
    alice().Send(maker.Make());
    alice().Receive();
    reached = HasMark(bob());
  }
  done = true;
  holder.join();
  EXPECT_FALSE(reached) << "SVNET_SEED=" << seed;
  EXPECT_GE(acted, 2 * actions.size());
  EXPECT_TRUE(bob().Pings(bob().gateway()));
}

}  // namespace
}  // namespace svnet::testing
