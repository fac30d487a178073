// Hosts with several addresses, uplinks and routing tables, as their guests see them.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/eventually.h"
#include "tests/system/guest_and_outside.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RoutesTest : public GuestAndOutsideTest {
 protected:
  RoutesTest() : svnetd_(Start()), alice_(svnetd_.socket(), Member(kAlice)) {
    AddGuest(alice_.MustCreate("vm1"));
  }

  // With which address the guest's connection arrives outside; empty: it does not arrive.
  static std::string SourceOutside() {
    const Listener listener(1);
    const auto [guest, outside] = listener.Connect();
    sockaddr_in peer = {};
    socklen_t size = sizeof(peer);
    if (getpeername(outside.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return "";
    char text[INET_ADDRSTRLEN] = {};
    return inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text));
  }
  // svnetd hears of the change by itself: nobody asks for its status.
  static bool LeavesWith(const std::string& address) {
    return Eventually([&] { return SourceOutside() == address; });
  }
  static bool GuestReaches(const std::string& address) {
    return ShellExitCode("ip netns exec guest ping -c1 -W1 -q " + address) == 0;
  }
  std::string Conditions() {
    return absl::StrJoin(
        alice_.MustGetNetwork().conditions(), "\n", [](std::string* out, const auto& each) {
          absl::StrAppend(out, each.type(), ": ", each.message(), "; ", each.remedy());
        });
  }
  // As health's service has it, without anybody who asks for the status.
  bool BecomesHealthy(bool healthy) {
    const auto health = grpc::health::v1::Health::NewStub(alice_.channel());
    return Eventually([&] {
      grpc::ClientContext context;
      grpc::health::v1::HealthCheckRequest request;
      request.set_service("network");
      grpc::health::v1::HealthCheckResponse response;
      EXPECT_TRUE(health->Check(&context, request, &response).ok());
      return healthy == (response.status() == grpc::health::v1::HealthCheckResponse::SERVING);
    });
  }

 private:
  Daemon svnetd_;
  Client alice_;
};

TEST_F(RoutesTest, GuestsLeaveWithTheAddressThatTheDefaultRoutePrefers) {
  EXPECT_EQ(SourceOutside(), "203.0.113.2");
  Shell(
      "ip -n outside route add 192.0.2.7 via 203.0.113.2; ip address add 192.0.2.7/32 dev up0;"
      "ip route replace default via 203.0.113.1 src 192.0.2.7");
  EXPECT_TRUE(LeavesWith("192.0.2.7"));
  // It goes with the route, and comes back with it.
  Shell("ip route replace default via 203.0.113.1");
  EXPECT_TRUE(LeavesWith("203.0.113.2"));
  Shell("ip route delete default; ip route add default via 203.0.113.1 src 192.0.2.7");
  EXPECT_TRUE(LeavesWith("192.0.2.7"));
  EXPECT_THAT(Conditions(), IsEmpty());
}

// What an uplink can be: the guest leaves by it, with the address that its route prefers.
struct Uplink {
  const char* name;
  const char* link;  // makes the link up1, and what is outside of it
};

class UplinksTest : public RoutesTest, public ::testing::WithParamInterface<Uplink> {};
INSTANTIATE_TEST_SUITE_P(
    Uplinks, UplinksTest,
    ::testing::Values(
        Uplink{"Vlan",
               "ip link add up1 link up0 type vlan id 7;"
               "ip -n outside link add out1 link eth0 type vlan id 7"},
        Uplink{"Bridge",
               "ip link add up1 type bridge; ip link add port1 type veth peer name out1 netns "
               "outside; ip link set port1 master up1 up"},
        Uplink{"Bond",
               "ip link add up1 type bond mode active-backup;"
               "ip link add port1 type veth peer name out1 netns outside;"
               "ip link set port1 master up1; ip link set port1 up"},
        Uplink{"Macvlan",
               "ip link add up1 link up0 type macvlan mode bridge;"
               "ip -n outside link add out1 link eth0 type macvlan mode bridge"},
        // As a VPN is: packets in packets.
        Uplink{"Vxlan",
               "ip link add up1 type vxlan id 5 dstport 4789 local 203.0.113.2 remote 203.0.113.1;"
               "ip -n outside link add out1 type vxlan id 5 dstport 4789 local 203.0.113.1 remote "
               "203.0.113.2"},
        Uplink{"WireGuard",
               "cd $(mktemp -d); wg genkey >host; wg genkey >peer;"
               "ip link add up1 type wireguard; ip -n outside link add out1 type wireguard;"
               "wg set up1 listen-port 51820 private-key host peer $(wg pubkey <peer) endpoint "
               "203.0.113.1:51821 allowed-ips 0.0.0.0/0;"
               "ip netns exec outside wg set out1 listen-port 51821 private-key peer peer $(wg "
               "pubkey <host) endpoint 203.0.113.2:51820 allowed-ips 0.0.0.0/0"},
        Uplink{"Veth", "ip link add up1 type veth peer name out1 netns outside"}),
    [](const auto& uplink) { return uplink.param.name; });

TEST_P(UplinksTest, AreLeftByWithTheAddressThatTheirRoutePrefers) {
  if (ShellExitCode(GetParam().link) != 0) GTEST_SKIP() << "this kernel has no such links";
  Shell(
      "ip address add 192.0.2.10/24 dev up1; ip address add 192.0.2.11/24 dev up1;"
      "ip link set up1 up; ip -n outside address add 192.0.2.1/24 dev out1;"
      "ip -n outside link set out1 up; ip route replace default via 192.0.2.1 src 192.0.2.11");
  EXPECT_TRUE(LeavesWith("192.0.2.11"));
  EXPECT_THAT(Conditions(), IsEmpty());
  // Two defaults: the one of the lower metric counts.
  Shell("ip route add default via 203.0.113.1 metric 100");
  EXPECT_TRUE(LeavesWith("192.0.2.11"));
  Shell("ip route delete default via 192.0.2.1; ip link delete up1");
  EXPECT_TRUE(LeavesWith("203.0.113.2"));
}

// What guests send leaves by a route of the main table into the VRF. Answers to it find the way
// back in the main table, unless the VRF is closed, as the kernel's documentation has it (vrf.rst):
// then they need a route in its own.
TEST_F(RoutesTest, AnUplinkInAVrfIsLeftByAndSaidIfItHasNoRouteBack) {
  if (ShellExitCode("ip link add vrf1 type vrf table 10") != 0) {
    GTEST_SKIP() << "this kernel has no VRFs";
  }
  ASSERT_EQ(SourceOutside(), "203.0.113.2");
  Shell(
      "ip link set vrf1 up; ip link add up1 type veth peer name out1 netns outside;"
      "ip link set up1 master vrf1; ip link set up1 up; ip address add 192.0.2.10/24 dev up1;"
      "ip -n outside address add 192.0.2.1/24 dev out1; ip -n outside link set out1 up;"
      "ip route replace default via 192.0.2.1 dev up1 onlink");
  EXPECT_TRUE(LeavesWith("192.0.2.10"));
  EXPECT_THAT(Conditions(), IsEmpty());
  Shell("ip route add table 10 unreachable default metric 4278198272");
  EXPECT_TRUE(BecomesHealthy(false));
  EXPECT_THAT(Conditions(), HasSubstr("NO_ROUTE_TO_GUESTS: what is sent to guests has no route"));
  Shell("ip route add 172.30.0.0/24 dev svbr0 table 10");
  EXPECT_TRUE(BecomesHealthy(true));
  EXPECT_TRUE(LeavesWith("192.0.2.10"));
}

// A VPN's exit node: its table comes before the main one, and has a default route.
TEST_F(RoutesTest, AnExitNodeThatTakesWhatIsForGuestsIsSaidWithWhatHelps) {
  ASSERT_TRUE(GuestReaches("172.30.0.1"));
  Shell(
      "ip link add vpn0 type veth peer name vpn1 netns outside; ip link set vpn0 up;"
      "ip address add 100.64.0.1/32 dev vpn0; ip -n outside link set vpn1 up;"
      "ip route add default dev vpn0 table 52; ip rule add priority 5270 lookup 52");
  EXPECT_FALSE(GuestReaches("172.30.0.1"));
  EXPECT_TRUE(BecomesHealthy(false));
  EXPECT_THAT(Conditions(), HasSubstr("NO_ROUTE_TO_GUESTS: what is sent to guests leaves by vpn0 "
                                      "(route table 52), and not by svbr0"));
  const std::string remedy = "ip rule add priority 1 to 172.30.0.0/24 lookup main";
  EXPECT_THAT(Conditions(), HasSubstr("`" + remedy + "`"));
  Shell(remedy);
  EXPECT_TRUE(BecomesHealthy(true));
  EXPECT_TRUE(GuestReaches("172.30.0.1"));
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(RoutesTest, ARuleThatDropsWhatGuestsSendIsSaid) {
  ASSERT_TRUE(GuestReaches("198.51.100.1"));
  Shell("ip rule add priority 9 iif svbr0 to 128.0.0.0/1 prohibit");
  EXPECT_FALSE(GuestReaches("198.51.100.1"));
  EXPECT_TRUE(BecomesHealthy(false));
  EXPECT_THAT(Conditions(), HasSubstr("NO_ROUTE_OUT: "));
  EXPECT_THAT(Conditions(), HasSubstr("Permission denied"));
  Shell("ip rule delete priority 9");
  EXPECT_TRUE(BecomesHealthy(true));
  EXPECT_TRUE(GuestReaches("198.51.100.1"));
}

TEST_F(RoutesTest, AnUplinkThatDoesNotForwardIsSaidWithWhatHelps) {
  Shell("echo 0 > /proc/sys/net/ipv4/conf/up0/forwarding");
  EXPECT_FALSE(GuestReaches("198.51.100.1"));
  EXPECT_TRUE(BecomesHealthy(false));
  const std::string remedy = "sysctl -w net.ipv4.conf.up0.forwarding=1";
  EXPECT_THAT(Conditions(), HasSubstr("link up0 does not forward"));
  EXPECT_THAT(Conditions(), HasSubstr(remedy));
  Shell(remedy);
  EXPECT_TRUE(BecomesHealthy(true));
  EXPECT_TRUE(GuestReaches("198.51.100.1"));
}

}  // namespace
}  // namespace svnet::testing
