// Who reaches whom: guests of one owner and of two, by the bridge and by the gateway;
// the host; the world outside.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/sandbox/internet.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

constexpr char kMark[] = "from one guest to another";

Ipv4Address Ip(absl::string_view text) { return Ipv4Address::Parse(text).value(); }
MacAddress Mac(absl::string_view text) { return MacAddress::Parse(text).value(); }

// Two guests of Alice's, and one of Bob's.
class IsolationTest : public SystemTest {
 protected:
  void Begin(const std::vector<std::string>& flags = {}) {
    svnetd_.reset(new Daemon(Start(flags)));
    Client alice(svnetd_->socket(), Member(kAlice));
    Client bob(svnetd_->socket(), Member(kBob));
    alice1_.emplace(alice.MustCreate("vm1"));
    alice2_.emplace(alice.MustCreate("vm2"));
    bob_.emplace(bob.MustCreate("vm3"));
  }
  // What svnetd has done stays; from here on the test may take layers away.
  void Freeze() { svnetd_->Stop(SIGKILL); }

  static std::string Packet(const TapGuest& from, const TapGuest& to) {
    return Udp({.from = from.ip(), .to = to.ip()}, kMark);
  }

  // Whether another guest's text has come. Not if the gateway quotes to a guest what
  // that has sent itself, as its ICMP redirects do.
  static bool HasMark(const TapGuest& guest) {
    constexpr char kIcmp = 1;
    const std::vector<Frame> frames = guest.Receive();
    return std::any_of(frames.begin(), frames.end(), [](const Frame& frame) {
      return absl::StrContains(frame, kMark) && frame[23] != kIcmp;
    });
  }

  // Whether `to` gets what `from` sends it ...
  static bool ByTheBridge(const TapGuest& from, const TapGuest& to) {
    from.Send(to.mac(), kIpv4Type, Packet(from, to));
    return HasMark(to);
  }
  static bool ByTheGateway(const TapGuest& from, const TapGuest& to) {
    from.Send(from.gateway_mac(), kIpv4Type, Packet(from, to));
    return HasMark(to);
  }
  // ... or by what is sent to everybody, to many, or to a MAC that nobody has.
  static bool ByFlooding(const TapGuest& from, const TapGuest& to) {
    from.Send(kBroadcast, kIpv4Type, Packet(from, to));
    from.Send(Mac("01:00:5e:00:00:01"), kIpv4Type, Packet(from, to));
    from.Send(Mac("02:99:99:99:99:99"), kIpv4Type, Packet(from, to));
    from.Send(kBroadcast, kArpType,
              Arp({.operation = ArpOperation::kRequest,
                   .sender_mac = from.mac(),
                   .sender_ip = from.ip(),
                   .target_ip = to.ip()}) +
                  kMark);
    return HasMark(to);
  }

  const TapGuest& alice1() const { return *alice1_; }
  const TapGuest& alice2() const { return *alice2_; }
  const TapGuest& bob() const { return *bob_; }

 private:
  std::unique_ptr<Daemon> svnetd_;
  std::optional<TapGuest> alice1_, alice2_, bob_;
};

// With bridged IPv4 in the inet hooks, as Docker's module has it, and without.
class EitherModeTest : public IsolationTest, public ::testing::WithParamInterface<int> {
 protected:
  EitherModeTest() {
    Shell(absl::StrCat("echo ", GetParam(), " > /proc/sys/net/bridge/bridge-nf-call-iptables"));
  }
};
INSTANTIATE_TEST_SUITE_P(BridgeNetfilter, EitherModeTest, ::testing::Values(0, 1));

TEST_P(EitherModeTest, GuestsOfOneOwnerReachEachOtherAndOfTwoNever) {
  Begin();
  EXPECT_TRUE(ByTheBridge(alice1(), alice2()));
  EXPECT_TRUE(ByTheBridge(alice2(), alice1()));
  EXPECT_TRUE(ByFlooding(alice1(), alice2()));
  const int before = Counter("bridge", "foreign_zone");
  for (const auto& [from, to] : {std::pair(&alice1(), &bob()), {&bob(), &alice1()}}) {
    EXPECT_FALSE(ByTheBridge(*from, *to));
    EXPECT_FALSE(ByFlooding(*from, *to));
    EXPECT_FALSE(ByTheGateway(*from, *to));
  }
  EXPECT_GE(Counter("bridge", "foreign_zone"), before + 6);
  EXPECT_EQ(Counter("inet", "between_guests"), 2);
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
  EXPECT_TRUE(ByTheBridge(alice1(), bob()));
  EXPECT_TRUE(ByFlooding(bob(), alice1()));
}

TEST_F(IsolationTest, TheBridgesRulesAloneSeparateOwners) {
  Begin();
  Freeze();
  Shell("nft delete table inet " + RulesTable());
  EXPECT_TRUE(ByTheBridge(alice1(), alice2()));
  EXPECT_FALSE(ByTheBridge(alice1(), bob()));
  EXPECT_FALSE(ByFlooding(alice1(), bob()));
}

TEST_F(IsolationTest, TheInetRulesAloneCloseTheWayByTheGateway) {
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

TEST_F(IsolationTest, TheBridgeAloneSeparatesAll) {
  Begin({"--isolation=all"});
  Freeze();
  Shell("nft flush ruleset");
  EXPECT_FALSE(ByTheBridge(alice1(), alice2()));
  EXPECT_FALSE(ByFlooding(alice1(), bob()));
}

// A restart with another isolation is in force at once, for all guests that run.
TEST_F(IsolationTest, ChangesWithARestart) {
  Begin();
  Freeze();
  EXPECT_FALSE(ByTheBridge(alice1(), bob()));
  Daemon again = Start({"--isolation=none"});
  EXPECT_TRUE(ByTheBridge(alice1(), bob()));
}

TEST_F(IsolationTest, NothingOfAnothersTrafficComesToAGuest) {
  const Internet internet;
  Begin();
  bob().Receive();
  alice2().Receive();
  EXPECT_TRUE(alice1().Pings(Ip("203.0.113.1")));
  EXPECT_FALSE(bob().HasReceived("svnet ping"));
  EXPECT_FALSE(alice2().HasReceived("svnet ping"));
}

class HostTest : public IsolationTest {
 protected:
  static void SendTo(const TapGuest& guest, Ipv4Address to, uint16_t port,
                     const std::string& text) {
    guest.Send(guest.gateway_mac(), kIpv4Type,
               Udp({.from = guest.ip(), .to = to, .to_port = port}, text));
  }
};

TEST_F(HostTest, AllowsGuestsByDefault) {
  Begin();
  const HostPortListener host(5300);
  SendTo(alice1(), alice1().gateway(), 5300, "hello host");
  EXPECT_TRUE(host.HasReceived("hello host"));
}

TEST_F(HostTest, DeniesAllButItsPortsAndPings) {
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
  closed.Send(alice1().ip(), "a question");
  EXPECT_TRUE(alice1().WaitFor("a question"));
  alice1().Send(
      alice1().gateway_mac(), kIpv4Type,
      Udp({.from = alice1().ip(), .to = alice1().gateway(), .from_port = 9999, .to_port = 5301},
          "an answer"));
  EXPECT_TRUE(closed.HasReceived("an answer"));
}

TEST_F(HostTest, BlockedDestinationsAreReachedByNoWay) {
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
TEST_F(HostTest, BlockedDestinationsAreBlockedBehindNat) {
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

TEST_F(HostTest, BlockedDestinationsAreConfigured) {
  const Internet internet;
  internet.Shell("ip address add 169.254.169.254/32 dev down0");
  Begin({"--blocked-destinations=203.0.113.0/24"});
  EXPECT_TRUE(alice1().Pings(Ip("169.254.169.254")));
  alice1().Send(alice1().gateway_mac(), kIpv4Type, PingRequest(alice1().ip(), Ip("203.0.113.1")));
  EXPECT_EQ(Counter("inet", "blocked_destination"), 1);
}

// A block that holds the network itself does not cut guests off from their gateway.
TEST_F(HostTest, ABlockOfAllPrivateAddressesLeavesTheNetworkItself) {
  Begin({"--blocked-destinations=172.16.0.0/12,10.0.0.0/8"});
  EXPECT_TRUE(alice1().Pings(alice1().gateway()));
}

}  // namespace
}  // namespace svnet::testing
