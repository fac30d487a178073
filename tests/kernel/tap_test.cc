// TAPs on the real kernel.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/unique_fd.h"
#include "tests/eventually.h"
#include "tests/kernel/kernel_test.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Shell;

class TapTest : public testing::KernelTest {
 protected:
  TapTest() : bridge_(kernel().EnsureBridge(Spec()).value()) {}

  static TapSpec Tap(absl::string_view name) {
    return {.name = LinkName::Parse(name).value(), .owner = 1000, .group_gid = {}};
  }
  PortSpec Port() const {
    return {.bridge = bridge_.ifindex,
            .alias = "some alias",
            .group = 7,
            .mtu = bridge_.mtu,
            .mac = testing::kOwnMac,
            .guest = MacAddress({2, 0, 0, 0, 0, 9}),
            .isolated = false};
  }
  // All steps.
  Ifindex MakeTap(const TapSpec& spec) {
    auto tap = kernel().OpenNewTap(spec);
    EXPECT_TRUE(tap.ok()) << tap.status();
    EXPECT_TRUE((*tap)->SwitchIpv6Off().ok());
    const absl::StatusOr<bool> joined = (*tap)->Join(Port());
    EXPECT_TRUE(joined.ok()) << joined.status();
    EXPECT_TRUE(*joined);
    EXPECT_TRUE((*tap)->Persist().ok());
    return (*tap)->ifindex();
  }
  std::optional<Link> Find(absl::string_view name) {
    return kernel().FindLink(LinkName::Parse(name).value()).value();
  }

  Bridge bridge_;
};

// As a VMM does it, under another uid and without a capability; its errno.
int OpenAs(uid_t uid, gid_t gid, const std::string& name, int flags) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(gid) != 0 || setuid(uid) != 0) _exit(255);
    const int fd = open("/dev/net/tun", O_RDWR);
    if (fd < 0) _exit(254);
    ifreq request = {};
    request.ifr_flags = static_cast<short>(flags);
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    _exit(ioctl(fd, TUNSETIFF, &request) == 0 ? 0 : errno);
  }
  return testing::WaitFor(child);
}

constexpr int kVmmFlags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

// In this process.
UniqueFd Open(const std::string& name) {
  UniqueFd vmm(open("/dev/net/tun", O_RDWR));
  ifreq request = {};
  request.ifr_flags = kVmmFlags;
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  EXPECT_EQ(ioctl(vmm.get(), TUNSETIFF, &request), 0) << name;
  return vmm;
}

bool IsKernelBefore(int major, int minor) {
  utsname name = {};
  uname(&name);
  std::istringstream release(name.release);
  int its_major = 0;
  int its_minor = 0;
  char dot = 0;
  release >> its_major >> dot >> its_minor;
  return std::pair(its_major, its_minor) < std::pair(major, minor);
}

TEST_F(TapTest, GoesWithItsObjectUnlessItIsPersistent) {
  const std::string before = testing::NetworkPicture();
  {
    auto tap = kernel().OpenNewTap(Tap("tap1"));
    ASSERT_TRUE(tap.ok()) << tap.status();
    ASSERT_TRUE((*tap)->Join(Port()).ok());
    EXPECT_TRUE(Find("tap1").has_value());
  }
  EXPECT_EQ(testing::NetworkPicture(), before);
}

TEST_F(TapTest, IsAllThatItWasMadeToBe) {
  TapSpec spec = Tap("tap1");
  spec.group_gid = 77;
  const Ifindex ifindex = MakeTap(spec);
  const std::optional<Link> link = Find("tap1");
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->ifindex, ifindex);
  EXPECT_EQ(link->kind, LinkKind::kTap);
  EXPECT_EQ(link->alias, "some alias");
  EXPECT_EQ(link->master, bridge_.ifindex);
  EXPECT_EQ(link->mac, testing::kOwnMac);
  EXPECT_TRUE(link->ethernet);
  EXPECT_EQ(link->mtu, 1400u);
  EXPECT_EQ(link->group, 7u);
  EXPECT_TRUE(link->up);
  EXPECT_FALSE(link->carrier);  // nobody holds it
  EXPECT_EQ(link->owner, 1000u);
  EXPECT_EQ(link->group_gid, 77u);
  EXPECT_TRUE(link->persistent);
  EXPECT_FALSE(link->multi_queue);
  EXPECT_THAT(Shell("ip address show tap1"), Not(HasSubstr("inet6")));
}

// What the kernel would do for each of them, at each change of any link.
TEST_F(TapTest, HasNoIpv6AndNoQueueBesidesItsOwn) {
  for (const bool multi_queue : {false, true}) {
    TapSpec spec = Tap(multi_queue ? "tap2" : "tap1");
    spec.multi_queue = multi_queue;
    MakeTap(spec);
    const std::string name(spec.name.text());
    EXPECT_THAT(Shell("ip link show " + name), HasSubstr(" qdisc noqueue ")) << name;
    EXPECT_EQ(Shell("cat /proc/sys/net/ipv6/conf/" + name + "/disable_ipv6"), "1\n") << name;
    EXPECT_THAT(Shell("ip -6 route show table all dev " + name), IsEmpty()) << name;
  }
}

TEST_F(TapTest, IsAPortBehindWhichOneMacIs) {
  MakeTap(Tap("tap1"));
  const std::string port = Shell("ip -d link show tap1");
  EXPECT_THAT(port, HasSubstr("learning off flood off"));
  EXPECT_THAT(port, HasSubstr("isolated off"));
  EXPECT_TRUE(Find("tap1")->pinned);
  EXPECT_THAT(Shell("bridge fdb show dev tap1"),
              HasSubstr("02:00:00:00:00:09 sticky master svbr0 static"));
  PortSpec isolated = Port();
  isolated.isolated = true;
  auto tap = kernel().OpenNewTap(Tap("tap2"));
  ASSERT_TRUE((*tap)->Join(isolated).ok());
  EXPECT_THAT(Shell("ip -d link show tap2"), HasSubstr("isolated on"));
  Shell("ip link set tap1 type bridge_slave learning on");
  EXPECT_FALSE(Find("tap1")->pinned);
}

TEST_F(TapTest, NeighboursAreSetForGood) {
  const Ipv4Address ip = Ipv4Address::Parse("10.9.0.7").value();
  const Neighbour neighbour = {.address = ip, .mac = MacAddress({2, 0, 0, 0, 0, 9})};
  Shell("ip neighbour add 10.9.0.8 lladdr 02:00:00:00:00:08 dev svbr0 nud permanent");
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(kernel().SetNeighbour(bridge_.ifindex, neighbour).ok());
    EXPECT_THAT(Shell("ip neighbour show dev svbr0"),
                HasSubstr("10.9.0.7 lladdr 02:00:00:00:00:09 PERMANENT"));
  }
  // The operator's own is none of ours.
  EXPECT_THAT(*kernel().ListNeighbours(bridge_.ifindex), ElementsAre(neighbour));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(kernel().DeleteNeighbour(bridge_.ifindex, ip).ok());
  EXPECT_THAT(*kernel().ListNeighbours(bridge_.ifindex), ElementsAre());
  EXPECT_TRUE(kernel().DeleteNeighbour(9999, ip).ok());
  EXPECT_FALSE(kernel().SetNeighbour(9999, neighbour).ok());
}

TEST_F(TapTest, OpensForItsOwnerWithoutAnyCapability) {
  MakeTap(Tap("tap1"));
  EXPECT_EQ(OpenAs(1000, 1000, "tap1", kVmmFlags), 0);
  EXPECT_EQ(OpenAs(1001, 1001, "tap1", kVmmFlags), EPERM);
}

TEST_F(TapTest, WithAGroupWantsBothOwnerAndGroup) {
  TapSpec spec = Tap("tap1");
  spec.group_gid = 77;
  MakeTap(spec);
  EXPECT_EQ(OpenAs(1000, 77, "tap1", kVmmFlags), 0);
  EXPECT_EQ(OpenAs(1000, 1000, "tap1", kVmmFlags), EPERM);
  EXPECT_EQ(OpenAs(1001, 77, "tap1", kVmmFlags), EPERM);
}

TEST_F(TapTest, OpensAsMultiQueueOnlyIfItIs) {
  TapSpec spec = Tap("tap1");
  spec.multi_queue = true;
  MakeTap(spec);
  EXPECT_TRUE(Find("tap1")->multi_queue);
  EXPECT_EQ(OpenAs(1000, 1000, "tap1", kVmmFlags | IFF_MULTI_QUEUE), 0);
  EXPECT_EQ(OpenAs(1000, 1000, "tap1", kVmmFlags), EINVAL);
}

TEST_F(TapTest, CarrierSaysThatAVmmHoldsIt) {
  MakeTap(Tap("tap1"));
  const UniqueFd vmm = Open("tap1");
  EXPECT_TRUE(Find("tap1")->carrier);
}

// Of carriers that change Linux attends to a hundred a second, on all of the host, and before 6.8
// there is no other way: TAPs that lose theirs keep all others waiting.
TEST_F(TapTest, ManyThatAreMadeLeaveNoCarriersToAttendTo) {
  if (IsKernelBefore(6, 8)) GTEST_SKIP() << "this kernel cannot be told to";
  const Ifindex other = MakeTap(Tap("other"));
  const UniqueFd vmm = Open("other");
  for (int i = 0; i < 800; ++i) {
    TapSpec spec = Tap(absl::StrCat("tap", i));
    spec.multi_queue = i % 10 == 0;
    MakeTap(spec);
  }
  EXPECT_TRUE(kernel().TakeChanges().ok());
  int carrier = 0;
  ASSERT_EQ(ioctl(vmm.get(), TUNSETCARRIER, &carrier), 0);
  // Nobody asks for that link meanwhile.
  EXPECT_TRUE(testing::Eventually(
      [&] {
        const auto changes = kernel().TakeChanges();
        const auto link = changes->links.find(other);
        return link != changes->links.end() && !link->second.carrier;
      },
      absl::Seconds(4)));
}

// By that svnetd knows, also after a restart, whether a TAP was ever opened.
TEST_F(TapTest, CountsHowOftenAVmmOpenedIt) {
  MakeTap(Tap("tap1"));
  for (uint32_t times = 0; times < 3; ++times) {
    EXPECT_EQ(Find("tap1")->carrier_ups, times);
    EXPECT_EQ(OpenAs(1000, 1000, "tap1", kVmmFlags), 0);
  }
}

// Root can open anybody's TAP; that must not happen by accident.
TEST_F(TapTest, IsRefusedIfAnyLinkHasTheName) {
  Shell("ip link add veth1 type veth; ip tuntap add tap0 mode tap");
  MakeTap(Tap("tap1"));
  for (const char* name : {"veth1", "tap0", "tap1", "svbr0"}) {
    EXPECT_TRUE(absl::IsAlreadyExists(kernel().OpenNewTap(Tap(name)).status())) << name;
  }
}

TEST_F(TapTest, IsDeletedEvenWhileItIsHeld) {
  const Ifindex ifindex = MakeTap(Tap("tap1"));
  const UniqueFd vmm = Open("tap1");
  EXPECT_TRUE(reaper().DeleteLink(ifindex).ok());
  EXPECT_FALSE(Find("tap1").has_value());
  EXPECT_TRUE(reaper().DeleteLink(ifindex).ok());
}

TEST_F(TapTest, AFullBridgeIsReportedAndLeavesNoTap) {
  Shell(absl::StrCat("for i in $(seq ", kMaxBridgePorts,
                     "); do echo link add d$i master svbr0 type veth peer name e$i; done | "
                     "ip -batch -"));
  auto tap = kernel().OpenNewTap(Tap("tap1"));
  ASSERT_TRUE(tap.ok());
  EXPECT_EQ(ReasonOf((*tap)->Join(Port()).status()), Reason::kBridgeFull);
  tap->reset();
  EXPECT_FALSE(Find("tap1").has_value());
}

TEST_F(TapTest, WithAnAliasThatIsTooLongSaysSo) {
  auto tap = kernel().OpenNewTap(Tap("tap1"));
  ASSERT_TRUE(tap.ok());
  PortSpec port = Port();
  port.alias = std::string(256, 'x');
  EXPECT_FALSE((*tap)->Join(port).ok());
}

}  // namespace
}  // namespace svnet
