// NetlinkKernel on the real kernel: bridge, addresses, routes, forwarding.
#include "daemon/kernel/netlink_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "daemon/base/error.h"
#include "tests/kernel/kernel_test.h"

namespace svnet {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Shell;

class BridgeTest : public testing::KernelTest {};

TEST_F(BridgeTest, IsMadeWithEverythingExplicit) {
  const auto bridge = kernel().EnsureBridge(Spec());
  ASSERT_TRUE(bridge.ok()) << bridge.status();
  EXPECT_TRUE(bridge->ours);
  EXPECT_TRUE(bridge->changed());
  const std::string shown = Shell("ip -d address show svbr0");
  EXPECT_THAT(shown, HasSubstr(Spec().mac.ToString()));
  EXPECT_THAT(shown, HasSubstr("inet 10.9.0.1/24 brd 10.9.0.255"));
  EXPECT_THAT(shown, HasSubstr("mtu 1400"));
  EXPECT_THAT(shown, HasSubstr("forward_delay 0"));
  EXPECT_THAT(shown, HasSubstr("stp_state 0"));
  EXPECT_THAT(shown, HasSubstr("mcast_snooping 0"));
  EXPECT_THAT(shown, HasSubstr(",UP"));
  EXPECT_THAT(shown, Not(HasSubstr("inet6")));
}

// The kernel finds a link by each of its names.
TEST_F(BridgeTest, ABridgeOfAnotherNameIsNotTaken) {
  Shell("ip link add br0 type bridge; ip link property add dev br0 altname svbr0");
  const std::string before = testing::NetworkPicture();
  const absl::Status refused = kernel().EnsureBridge(Spec()).status();
  EXPECT_EQ(ReasonOf(refused), Reason::kNotABridge);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("ip link property delete dev br0 altname svbr0"));
  EXPECT_EQ(testing::NetworkPicture(), before);
}

TEST_F(BridgeTest, EnsuredTwiceIsTheSameBridge) {
  ASSERT_TRUE(kernel().EnsureBridge(Spec()).ok());
  const std::string before = testing::NetworkPicture();
  const auto again = kernel().EnsureBridge(Spec());
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->ours);
  EXPECT_FALSE(again->changed());
  EXPECT_EQ(testing::NetworkPicture(), before);
}

class PinnedMtuTest : public BridgeTest, public ::testing::WithParamInterface<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Mtus, PinnedMtuTest, ::testing::Values(1400, 1500, 9000));

TEST_P(PinnedMtuTest, MtuAndMacStayAsPortsComeAndGo) {
  BridgeSpec spec = Spec();
  spec.mtu = GetParam();
  ASSERT_TRUE(kernel().EnsureBridge(spec).ok());
  const auto look = [&] {
    const Link link = kernel().FindLink(spec.name).value().value();
    return std::make_pair(link.mac, link.mtu);
  };
  const auto before = std::make_pair(spec.mac, spec.mtu);
  EXPECT_EQ(look(), before);
  Shell(
      "ip link add low address 02:00:00:00:00:01 mtu 576 type veth;"
      "ip link set low master svbr0 up");
  EXPECT_EQ(look(), before);
  Shell("ip link del low");
  EXPECT_EQ(look(), before);
}

// Fault 5: what stood before gets the address and is brought up, and is not deleted.
TEST_F(BridgeTest, ABridgeOfAnotherProgramGetsTheAddressAndStays) {
  // Up once before, because that leaves a trace (its qdisc).
  Shell("ip link add svbr0 type bridge; ip link set svbr0 up; ip link set svbr0 down");
  const std::string before = testing::NetworkPicture();
  const auto bridge = kernel().EnsureBridge(Spec());
  ASSERT_TRUE(bridge.ok()) << bridge.status();
  EXPECT_FALSE(bridge->ours);
  EXPECT_TRUE(bridge->changed());
  EXPECT_EQ(bridge->mtu, 1500u);
  EXPECT_THAT(Shell("ip address show svbr0"), HasSubstr("inet 10.9.0.1/24"));
  EXPECT_THAT(Shell("ip address show svbr0"), HasSubstr(",UP"));

  const auto deleted = kernel().ReleaseBridge(Spec());
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_FALSE(*deleted);
  EXPECT_EQ(testing::NetworkPicture(), before);
}

TEST_F(BridgeTest, ABridgeOfAnotherProgramKeepsAnAddressThatItHad) {
  Shell(
      "ip link add svbr0 type bridge; ip address add 10.9.0.1/24 dev svbr0;"
      "ip link set svbr0 up");
  const std::string before = Shell("ip -4 address show svbr0");
  const auto bridge = kernel().EnsureBridge(Spec());
  ASSERT_TRUE(bridge.ok()) << bridge.status();
  EXPECT_FALSE(bridge->changed());
  ASSERT_TRUE(kernel().ReleaseBridge(Spec()).ok());
  EXPECT_EQ(Shell("ip -4 address show svbr0"), before);
}

TEST_F(BridgeTest, ABridgeOfAnotherProgramKeepsItsMacAsPortsComeAndGo) {
  Shell("ip link add svbr0 type bridge");
  ASSERT_TRUE(kernel().EnsureBridge(Spec()).ok());
  Shell("ip link add low address 02:00:00:00:00:01 type veth; ip link set low master svbr0");
  EXPECT_THAT(Shell("ip -o link show svbr0"), Not(HasSubstr("02:00:00:00:00:01")));
}

TEST_F(BridgeTest, TellsOtherAddressesOfItsOwn) {
  Shell("ip link add svbr0 type bridge; ip address add 10.9.0.77/24 dev svbr0");
  const auto bridge = kernel().EnsureBridge(Spec());
  ASSERT_TRUE(bridge.ok());
  EXPECT_THAT(bridge->addresses, Contains(Ipv4Address(0x0a09004d)));
}

TEST_F(BridgeTest, NameOfSomethingElseIsNotABridge) {
  Shell("ip link add svbr0 type veth");
  const std::string before = testing::NetworkPicture();
  const auto bridge = kernel().EnsureBridge(Spec());
  EXPECT_EQ(ReasonOf(bridge.status()), Reason::kNotABridge);
  EXPECT_EQ(testing::NetworkPicture(), before);
}

TEST_F(BridgeTest, ABridgeThatCannotHaveTheMtuLeavesNothing) {
  const std::string before = testing::NetworkPicture();
  BridgeSpec spec = Spec();
  spec.mtu = 70'000;
  EXPECT_FALSE(kernel().EnsureBridge(spec).ok());
  EXPECT_EQ(testing::NetworkPicture(), before);
}

TEST_F(BridgeTest, MadeByUsIsReleased) {
  const std::string before = testing::NetworkPicture();
  ASSERT_TRUE(kernel().EnsureBridge(Spec()).ok());
  const auto deleted = kernel().ReleaseBridge(Spec());
  ASSERT_TRUE(deleted.ok());
  EXPECT_TRUE(*deleted);
  EXPECT_EQ(testing::NetworkPicture(), before);
  EXPECT_FALSE(*kernel().ReleaseBridge(Spec()));
}

class DumpTest : public testing::KernelTest {};

TEST_F(DumpTest, FindsLinksByNameAndNumber) {
  Shell("ip link add one mtu 1300 type veth");
  const auto by_name = kernel().FindLink(LinkName::Parse("one").value());
  ASSERT_TRUE(by_name.ok() && by_name->has_value());
  EXPECT_EQ((*by_name)->mtu, 1300u);
  EXPECT_EQ(*kernel().FindLink((*by_name)->ifindex), *by_name);
  EXPECT_EQ(*kernel().FindLink(LinkName::Parse("two").value()), std::nullopt);
  EXPECT_EQ(*kernel().FindLink(12345), std::nullopt);
}

TEST_F(DumpTest, ListsAddresses) {
  Shell(
      "ip link add one type veth; ip address add 10.1.2.3/20 dev one;"
      "ip address add 10.7.0.1 peer 10.8.0.1/32 dev one; ip address add fd00::1/64 dev one");
  const auto addresses = kernel().ListAddresses();
  ASSERT_TRUE(addresses.ok());
  EXPECT_THAT(*addresses, Contains(Field(&LinkAddress::prefix, *Ipv4Prefix::Parse("10.1.0.0/20"))));
  EXPECT_THAT(*addresses, Contains(Field(&LinkAddress::prefix, *Ipv4Prefix::Parse("10.8.0.1/32"))));
}

TEST_F(DumpTest, ListsRoutesOfAllTablesThatLeadSomewhere) {
  Shell(
      "ip link add one type veth; ip link set one up; ip address add 10.1.2.3/24 dev one;"
      "ip route add default via 10.1.2.1 metric 7; ip route add 10.50.0.0/16 dev one table 99;"
      "ip route add blackhole 10.60.0.0/16;"
      "ip route add 10.70.0.0/16 nexthop via 10.1.2.1 nexthop via 10.1.2.2");
  const auto routes = kernel().ListRoutes();
  ASSERT_TRUE(routes.ok());
  const Ifindex one = (*kernel().FindLink(LinkName::Parse("one").value()))->ifindex;
  const auto route = [one](absl::string_view destination, uint32_t table, uint32_t metric) {
    return Route{.destination = *Ipv4Prefix::Parse(destination),
                 .ifindex = one,
                 .table = table,
                 .metric = metric};
  };
  EXPECT_THAT(*routes, Contains(route("0.0.0.0/0", 254, 7)));
  EXPECT_THAT(*routes, Contains(route("10.50.0.0/16", 99, 0)));
  EXPECT_THAT(*routes, Contains(route("10.70.0.0/16", 254, 0)));
  EXPECT_THAT(*routes,
              Not(Contains(Field(&Route::destination, *Ipv4Prefix::Parse("10.60.0.0/16")))));
}

// A dump that a change interrupts starts again, so that nothing is missed or doubled.
TEST_F(DumpTest, IsWholeWhileLinksComeAndGo) {
  Shell("for i in $(seq 200); do echo link add keep$i type veth; done | ip -batch -");
  pid_t churn = fork();
  if (churn == 0) {
    execlp("bash", "bash", "-c",
           "for i in $(seq 300); do echo link add x$i type veth; echo link del x$i; done | "
           "ip -batch -",
           nullptr);
    _exit(1);
  }
  for (int round = 0; round < 50; ++round) {
    const auto links = kernel().ListLinks();
    ASSERT_TRUE(links.ok()) << links.status();
    int kept = 0;
    for (const Link& link : *links) kept += link.name.rfind("keep", 0) == 0;
    EXPECT_EQ(kept, 200);
  }
  EXPECT_EQ(testing::WaitFor(churn), 0);
}

class ForwardingTest : public testing::KernelTest {};

TEST_F(ForwardingTest, IsTurnedOnInThisNamespace) {
  Shell("echo 0 > /proc/sys/net/ipv4/ip_forward");
  EXPECT_FALSE(*kernel().IsForwarding());
  EXPECT_TRUE(kernel().EnableForwarding().ok());
  EXPECT_TRUE(*kernel().IsForwarding());
  EXPECT_EQ(Shell("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
}

}  // namespace
}  // namespace svnet
