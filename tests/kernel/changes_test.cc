// What the kernel says of changes, what is reaped, and processes: on the real kernel.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/kernel/link_monitor.h"
#include "tests/kernel/kernel_test.h"
#include "tests/sandbox/internet.h"

namespace svnet {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using testing::Shell;

class ChangesTest : public testing::KernelTest {
 protected:
  ChangesTest() : bridge_(kernel().EnsureBridge(Spec()).value()) {
    Shell("ip tuntap add tap1 mode tap user 1000; ip tuntap add tap2 mode tap user 1000");
    tap_ = IndexOf("tap1");
    Changes();
  }

  Ifindex IndexOf(absl::string_view name) {
    return kernel().FindLink(LinkName::Parse(name).value()).value().value().ifindex;
  }
  // Since the last time; what a command did is among them when it has ended.
  KernelChanges Changes() { return kernel().TakeChanges().value(); }
  static LinkName Name(absl::string_view name) { return LinkName::Parse(name).value(); }

  Bridge bridge_;
  Ifindex tap_ = 0;
};

TEST_F(ChangesTest, ReportsLinksWithTheirLastState) {
  Shell("ip link set tap1 master svbr0; ip link set tap1 up mtu 1300; ip link set tap1 alias abc");
  const KernelChanges changes = Changes();
  ASSERT_THAT(changes.links, Contains(Key(tap_)));
  const Link& link = changes.links.at(tap_);
  EXPECT_EQ(link, kernel().FindLink(tap_).value().value());
  EXPECT_EQ(link.mtu, 1300u);
  EXPECT_EQ(link.alias, "abc");
  EXPECT_EQ(link.master, bridge_.ifindex);
  EXPECT_FALSE(changes.lost);
  EXPECT_THAT(Changes().links, IsEmpty());
}

TEST_F(ChangesTest, ALinkThatIsGoneIsSaidSo) {
  Shell("ip link set tap1 up; ip link delete tap1");
  const KernelChanges changes = Changes();
  EXPECT_THAT(changes.gone, Contains(tap_));
  EXPECT_THAT(changes.links, Not(Contains(Key(tap_))));
}

TEST_F(ChangesTest, ReportsAddressesForwardingAndNeighbours) {
  Shell("ip address delete 10.9.0.1/24 dev svbr0");
  EXPECT_THAT(Changes().addresses, Contains(bridge_.ifindex));
  Shell("echo 1 > /proc/sys/net/ipv4/ip_forward");
  EXPECT_TRUE(Changes().forwarding);
  Shell("ip link add other type veth peer name another; ip link set other up");
  EXPECT_FALSE(Changes().forwarding);
  const MacAddress mac({2, 0, 0, 0, 0, 9});
  const std::pair at(bridge_.ifindex, Ipv4Address(0x0a090009));
  ASSERT_TRUE(kernel().SetNeighbour(bridge_.ifindex, {.address = at.second, .mac = mac}).ok());
  EXPECT_THAT(Changes().neighbours, Contains(Pair(at, std::make_optional(mac))));
  Shell("ip neighbour delete 10.9.0.9 dev svbr0");
  EXPECT_THAT(Changes().neighbours, Contains(Pair(at, std::nullopt)));
}

TEST_F(ChangesTest, ReportsPortsAndTheirStaticEntries) {
  const MacAddress mac({2, 0, 0, 0, 0, 9});
  const PortSpec port = {.bridge = bridge_.ifindex,
                         .alias = "abc",
                         .group = 7,
                         .mtu = 1400,
                         .mac = testing::kOwnMac,
                         .guest = mac,
                         .isolated = false};
  ASSERT_TRUE(*kernel().RepairTap(*kernel().FindLink(tap_).value(), Name("tap1"), port));
  KernelChanges changes = Changes();
  EXPECT_THAT(changes.static_macs, Contains(Pair(std::pair(tap_, mac), true)));
  EXPECT_TRUE(changes.pinned.at(tap_));
  EXPECT_TRUE(changes.links.at(tap_).pinned);
  Shell("bridge link set dev tap1 learning on");
  EXPECT_FALSE(Changes().pinned.at(tap_));
  Shell("bridge fdb delete 02:00:00:00:00:09 dev tap1 master");
  EXPECT_THAT(Changes().static_macs, Contains(Pair(std::pair(tap_, mac), false)));
}

TEST_F(ChangesTest, ReportsOverflowAsLost) {
  LinkMonitor small = LinkMonitor::Open({Spec().prefix}, 4096).value();
  Shell("for i in $(seq 20); do ip link set tap1 up; ip link set tap1 down; done");
  EXPECT_TRUE(small.Take()->lost);
  EXPECT_FALSE(small.Take()->lost);
  Shell("ip link set tap1 up");
  EXPECT_TRUE(small.Take()->links.at(tap_).up);
  EXPECT_FALSE(Changes().lost);
}

// What a router takes in besides costs svnetd nothing.
TEST_F(ChangesTest, OfRoutesThoseThatConcernTheGuestsOfANetwork) {
  LinkMonitor monitor = LinkMonitor::Open({Ipv4Prefix::Parse("10.9.0.0/24").value(),
                                           Ipv4Prefix::Parse("10.7.0.0/25").value()})
                            .value();
  const std::map<std::string, bool> concern = {
      {"0.0.0.0/0", true},    {"128.0.0.0/1", true},    {"10.0.0.0/8", true},
      {"10.9.0.0/24", true},  {"10.9.0.200/32", true},  {"10.7.0.0/16", true},
      {"10.7.0.77/32", true}, {"10.7.0.128/25", false}, {"10.8.0.0/24", false},
      {"10.6.0.0/16", false}, {"192.168.0.0/16", false}};
  Shell(
      "ip link add other type veth peer name another; ip link set other up; ip link set another "
      "up");
  EXPECT_TRUE(monitor.Take().ok());
  for (const auto& [route, concerns] : concern) {
    Shell("ip route add " + route + " dev other table 77");
    EXPECT_EQ(monitor.Take()->routes, concerns) << route;
  }
}

class RetireTest : public ChangesTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(OldKernel, RetireTest, ::testing::Bool());

TEST_P(RetireTest, GivesATapThatIsUpAnotherGroupAndThenAnotherName) {
  if (GetParam()) kernel().PretendLinksAreRenamedDown();
  Shell("ip link set tap1 up alias abc");
  ASSERT_TRUE(kernel().RetireTap(tap_, 9).ok());
  ASSERT_TRUE(kernel().RenameLink(tap_, Name("sv-1")).ok());
  const Link link = kernel().FindLink(tap_).value().value();
  EXPECT_EQ(link.name, "sv-1");
  EXPECT_EQ(link.group, 9u);
  EXPECT_EQ(link.alias, "abc");
  EXPECT_TRUE(absl::IsAlreadyExists(kernel().RenameLink(tap_, Name("tap2"))));
  Shell("ip link delete sv-1");
  EXPECT_TRUE(absl::IsNotFound(kernel().RetireTap(tap_, 9)));
  EXPECT_TRUE(absl::IsNotFound(kernel().RenameLink(tap_, Name("sv-1"))));
}

class ReaperTest : public ChangesTest {};

TEST_F(ReaperTest, DestroysAGroup) {
  Shell(
      "ip link set tap1 group 77; ip link set tap2 group 77; ip link add kept type veth peer name "
      "another");
  ASSERT_TRUE(reaper().DeleteGroup(77).ok());
  EXPECT_THAT(Shell("ip -br link"), Not(HasSubstr("tap")));
  EXPECT_THAT(Shell("ip -br link"), HasSubstr("kept"));
  EXPECT_TRUE(reaper().DeleteGroup(77).ok());
}

// The numbers of ports in what /proc shows of the flows.
TEST_F(ReaperTest, ForgetsTheFlowsOfAnAddressAndNoOthers) {
  const testing::Internet internet;
  Shell(
      "nft 'add table ip t; add chain ip t p { type nat hook postrouting priority 100; }; "
      "add rule ip t p masquerade';"
      "ip address add 10.9.0.5/32 dev lo; ip address add 10.9.0.6/32 dev lo");
  const auto send = [](const std::string& from, int port) {
    Shell(absl::StrCat("exec 3>/dev/null; ping -c 1 -W 1 -I ", from, " 203.0.113.1 || true; ",
                       "python3 -c \"import socket; s = socket.socket(socket.AF_INET, "
                       "socket.SOCK_DGRAM); s.bind(('",
                       from, "', ", port, ")); s.sendto(b'x', ('203.0.113.1', 9))\""));
  };
  send("10.9.0.5", 40005);
  send("10.9.0.6", 40006);
  const auto flows = [] { return Shell("cat /proc/net/nf_conntrack 2>/dev/null || conntrack -L"); };
  ASSERT_THAT(flows(), HasSubstr("40005"));
  ASSERT_THAT(flows(), HasSubstr("40006"));
  ASSERT_TRUE(reaper().ForgetFlows({Ipv4Address(0x0a090005), Ipv4Address(0x0a090007)}).ok());
  EXPECT_THAT(flows(), Not(HasSubstr("10.9.0.5")));
  EXPECT_THAT(flows(), HasSubstr("40006"));
}

TEST_F(ChangesTest, AProcessIsKnownByItsStartTimeAndSaysWhenItEnds) {
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(1234) != 0) _exit(1);
    pause();
    _exit(0);
  }
  // As soon as it has its uid.
  absl::StatusOr<Process> process = kernel().OpenProcess(child);
  for (int i = 0; i < 100'000 && process.ok() && process->uid == 0; ++i) {
    process = kernel().OpenProcess(child);
  }
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->uid, 1234u);
  EXPECT_GT(process->start_time, 0u);
  EXPECT_EQ(kernel().OpenProcess(child)->start_time, process->start_time);
  pollfd ended = {.fd = process->pidfd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&ended, 1, 0), 0);
  kill(child, SIGKILL);
  EXPECT_EQ(poll(&ended, 1, 20'000), 1);
  EXPECT_TRUE(absl::IsNotFound(kernel().OpenProcess(child).status()));  // a zombie
  testing::WaitFor(child);
  EXPECT_TRUE(absl::IsNotFound(kernel().OpenProcess(child).status()));
}

}  // namespace
}  // namespace svnet
