// One guest's share of the connections that the kernel tracks, and one owner's.
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/sandbox/internet.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"
#include "tests/system/udp.h"

namespace svnet::testing {
namespace {

constexpr int kGuestShare = 100;
constexpr int kOwnerShare = 150;

Ipv4Address Ip(absl::string_view text) { return Ipv4Address::Parse(text).value(); }

int Tracked() {
  std::ifstream file("/proc/sys/net/netfilter/nf_conntrack_count");
  int count = -1;
  file >> count;
  return count;
}

std::string WithProtocol(std::string packet, uint8_t protocol) {
  packet[9] = static_cast<char>(protocol);
  return WithHeaderChecksum(packet);
}

class ConnectionsTest : public WithAllGuests<SystemTest> {
 protected:
  void Begin(const std::vector<std::string>& limits) {
    svnetd_.reset(new Daemon(Start(limits)));
    alice_.reset(new Client(svnetd_->socket(), Member(kAlice)));
    bob_.reset(new Client(svnetd_->socket(), Member(kBob)));
    // What is not answered, and outside there is nothing else.
    internet_.Shell(
        "nft add table ip silent;"
        "nft \"add chain ip silent before { type filter hook prerouting priority -300; }\";"
        "nft add rule ip silent before ip daddr 198.18.0.0/15 drop");
  }

  // As many as `count` connections of each kind in turn.
  static void Open(const TapGuest& guest, int first, int count) {
    for (int i = first; i < first + count; ++i) {
      const UdpFields fields = {.from = guest.ip(),
                                .to = Ip("198.18.0.1"),
                                .from_port = static_cast<uint16_t>(1024 + i % 60'000),
                                .to_port = static_cast<uint16_t>(1 + i / 60'000)};
      guest.Send(guest.gateway_mac(), kIpv4Type, Udp(fields, "a datagram"));
    }
  }
  v1::Tap AliceMakes(const std::string& vm) const { return MustCreateGuest(*alice_, vm); }
  v1::Tap BobMakes(const std::string& vm) const { return MustCreateGuest(*bob_, vm); }
  static void Send(const TapGuest& guest, const std::string& packet) {
    guest.Send(guest.gateway_mac(), kIpv4Type, packet);
  }

  Daemon& svnetd() { return *svnetd_; }
  Client& alice() { return *alice_; }
  const Internet& internet() const { return internet_; }

 private:
  Internet internet_;
  std::unique_ptr<Daemon> svnetd_;
  std::unique_ptr<Client> alice_, bob_;
};
INSTANTIATE_TEST_SUITE_P(Guests, ConnectionsTest, ::testing::ValuesIn(kAllGuests), NameOfGuests);

const std::vector<std::string> kShares = {absl::StrCat("--guest-connections=", kGuestShare),
                                          absl::StrCat("--owner-connections=", kOwnerShare)};

TEST_P(ConnectionsTest, AGuestHasItsShareAndNoMore) {
  Begin(kShares);
  const TapGuest flooding(AliceMakes("vm1"));
  const TapGuest other(BobMakes("vm2"));
  const int before = Tracked();
  Open(flooding, 0, 5000);
  EXPECT_EQ(Tracked(), before + kGuestShare);
  EXPECT_EQ(Counter("inet", "guest_connections"), 5000 - kGuestShare);
  EXPECT_EQ(Counter("inet", "owner_connections"), 0);
  EXPECT_TRUE(other.Pings(Ip("203.0.113.1")));
  EXPECT_EQ(ShellExitCode("ping -c 1 -w 5 203.0.113.1"), 0);
  // Those that it has go on.
  flooding.Receive();
  const int dropped = Counter("inet", "guest_connections");
  Open(flooding, 0, kGuestShare);
  EXPECT_EQ(Counter("inet", "guest_connections"), dropped);
  EXPECT_EQ(alice().MustGetNetwork().conditions_size(), 0);
}

TEST_P(ConnectionsTest, AnOwnerHasItsShareAndNoMore) {
  Begin(kShares);
  const TapGuest one(AliceMakes("vm1"));
  const TapGuest two(AliceMakes("vm2"));
  const TapGuest other(BobMakes("vm3"));
  const int before = Tracked();
  Open(one, 0, kGuestShare);
  Open(two, 0, kGuestShare);
  EXPECT_EQ(Tracked(), before + kOwnerShare);
  EXPECT_EQ(Counter("inet", "guest_connections"), 0);
  EXPECT_EQ(Counter("inet", "owner_connections"), 2 * kGuestShare - kOwnerShare);
  EXPECT_TRUE(other.Pings(Ip("203.0.113.1")));
}

// Of a large share the kernel keeps the list in parts.
TEST_P(ConnectionsTest, AnOwnersShareIsKeptInParts) {
  Begin({"--guest-connections=0", "--owner-connections=2048"});
  const TapGuest one(AliceMakes("vm1"));
  const int before = Tracked();
  Open(one, 0, 20'000);
  EXPECT_LE(Tracked(), before + 2048);
  EXPECT_GT(Tracked(), before + 1400);
}

// Whatever they are: to the host, of any protocol, half open.
TEST_P(ConnectionsTest, EveryKindCounts) {
  Begin(kShares);
  const TapGuest guest(AliceMakes("vm1"));
  const HostPortListener host(5300);
  const int before = Tracked();
  for (int i = 0; i < kGuestShare; ++i) {
    std::string packet = Udp({.from = guest.ip(),
                              .to = Ipv4Address(Ip("198.18.0.0").value() + i),
                              .from_port = static_cast<uint16_t>(1024 + i)},
                             std::string(64, '\0'));
    switch (i % 4) {
      case 0:  // to the host
        packet = Udp({.from = guest.ip(),
                      .to = guest.gateway(),
                      .from_port = static_cast<uint16_t>(1024 + i),
                      .to_port = 5300},
                     "to the host");
        break;
      case 1:
        packet = PingRequest(guest.ip(), Ipv4Address(Ip("198.18.0.0").value() + i));
        break;
      case 2:
        packet = WithProtocol(packet, 250);  // of nobody
        break;
      default:
        break;
    }
    Send(guest, packet);
  }
  EXPECT_EQ(Tracked(), before + kGuestShare);
  EXPECT_EQ(Counter("inet", "guest_connections"), 0);
  Open(guest, 3000, 50);
  EXPECT_EQ(Tracked(), before + kGuestShare);
  EXPECT_EQ(Counter("inet", "guest_connections"), 50);
}

// Whoever has the address next has its whole share, and not what is left of another's.
TEST_P(ConnectionsTest, TheNextGuestOfAnAddressHasItsWholeShare) {
  std::vector<std::string> flags = kShares;
  flags.push_back("--subnet=10.9.9.4/30");  // of one guest
  Begin(flags);
  {
    const TapGuest guest(AliceMakes("vm1"));
    Open(guest, 0, 3 * kGuestShare);
    EXPECT_TRUE(alice().MustRemove("svvm1eth0"));
  }
  const TapGuest again(AliceMakes("vm2"));
  // The other's rest is over.
  EXPECT_TRUE(Eventually([&] {
    Open(again, 0, 1);
    return Tracked() > 0;
  }));
  Open(again, 0, kGuestShare);
  EXPECT_EQ(Tracked(), kGuestShare);
}

TEST_P(ConnectionsTest, WithoutLimitsThereIsNone) {
  Begin({"--guest-connections=0", "--owner-connections=0"});
  const TapGuest guest(AliceMakes("vm1"));
  const int before = Tracked();
  Open(guest, 0, 6000);
  EXPECT_EQ(Tracked(), before + 6000);
}

// By default a guest has 4,096, and its owner an eighth of all that the kernel tracks.
TEST_P(ConnectionsTest, TheDefaultsLeaveTheRestToOthers) {
  Begin({});
  const TapGuest guest(AliceMakes("vm1"));
  const TapGuest other(BobMakes("vm2"));
  Open(guest, 0, 262'144);
  EXPECT_LE(Tracked(), 4096 + 10);
  EXPECT_GT(Tracked(), 4000);
  EXPECT_TRUE(other.Pings(Ip("203.0.113.1")));
  const int max = std::stoi(Shell("cat /proc/sys/net/netfilter/nf_conntrack_max"));
  const int parts = std::min(64, max / 8 / 512);
  EXPECT_EQ(Shell("nft list chain inet " + RulesTable() +
                  " count_owner | grep -o 'mod [0-9]* ct count "
                  "over [0-9]*'"),
            absl::StrCat("mod ", parts, " ct count over ", max / 8 / parts, "\n"));
}

}  // namespace
}  // namespace svnet::testing
