// What Kernel says of who holds a TAP, on the real kernel.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/kernel/kernel_test.h"
#include "tests/system/borrowed_ids.h"

namespace svnet {
namespace {

using ::testing::Contains;
using testing::kOwnMac;
using ::testing::Not;
using ::testing::Pair;

const MacAddress kGuest({2, 0, 0, 0, 0, 9});

class HolderTest : public testing::KernelTest {
 protected:
  HolderTest() : bridge_(kernel().EnsureBridge(Spec()).value()) {}

  static LinkName Name(absl::string_view name) { return LinkName::Parse(name).value(); }

  Ifindex MakeTap(const std::string& name, bool multi_queue, const MacAddress& guest = kGuest) {
    auto tap = kernel().OpenNewTap(
        {.name = Name(name), .owner = 1000, .group_gid = {}, .multi_queue = multi_queue});
    EXPECT_TRUE(tap.ok()) << tap.status();
    EXPECT_TRUE(*(*tap)->Join({.bridge = bridge_.ifindex,
                               .alias = "abc",
                               .group = 7,
                               .mtu = 1400,
                               .mac = kOwnMac,
                               .guest = guest,
                               .isolated = false}));
    EXPECT_TRUE((*tap)->Persist().ok());
    return (*tap)->ifindex();
  }

  // Its errno in `error`.
  static UniqueFd Open(const std::string& name, int flags, int* error) {
    UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request = {};
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | flags);
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    *error = ioctl(fd.get(), TUNSETIFF, &request) == 0 ? 0 : errno;
    return fd;
  }

  Bridge bridge_;
};

TEST_F(HolderTest, HoldsATapThatNoProcessHolds) {
  const Ifindex tap = MakeTap("tap1", false);
  int error = 0;
  {
    const absl::StatusOr<std::optional<UniqueFd>> hold = kernel().HoldTap(Name("tap1"), tap);
    ASSERT_TRUE(hold.ok()) << hold.status();
    ASSERT_TRUE(hold->has_value());
    const UniqueFd late = Open("tap1", 0, &error);
    EXPECT_EQ(error, EBUSY);
  }
  const UniqueFd vmm = Open("tap1", 0, &error);
  EXPECT_EQ(error, 0);
  // Whatever the carrier says.
  int off = 0;
  ASSERT_EQ(ioctl(vmm.get(), TUNSETCARRIER, &off), 0);
  EXPECT_FALSE(kernel().FindLink(tap).value()->carrier);
  EXPECT_EQ(kernel().HoldTap(Name("tap1"), tap).value(), std::nullopt);
}

TEST_F(HolderTest, HoldsNoOtherTapAndMakesNone) {
  const Ifindex tap = MakeTap("tap1", false);
  EXPECT_TRUE(absl::IsNotFound(kernel().HoldTap(Name("tap1"), tap + 1).status()));
  EXPECT_TRUE(absl::IsNotFound(kernel().HoldTap(Name("tap2"), tap).status()));
  EXPECT_EQ(kernel().FindLink(Name("tap2")).value(), std::nullopt);
}

TEST_F(HolderTest, CountsTheQueuesThatAreOpenAndThoseThatAreDetached) {
  const Ifindex tap = MakeTap("tap1", true);
  const auto open_queues = [&] { return kernel().FindLink(tap).value()->open_queues; };
  EXPECT_EQ(open_queues(), 0u);
  int error = 0;
  const UniqueFd one = Open("tap1", IFF_MULTI_QUEUE, &error);
  ASSERT_EQ(error, 0);
  const UniqueFd two = Open("tap1", IFF_MULTI_QUEUE, &error);
  EXPECT_EQ(open_queues(), 2u);
  ifreq detach = {};
  detach.ifr_flags = IFF_DETACH_QUEUE;
  ASSERT_EQ(ioctl(two.get(), TUNSETQUEUE, &detach), 0);
  EXPECT_EQ(open_queues(), 2u);
  const Ifindex single = MakeTap("tap2", false, MacAddress({2, 0, 0, 0, 0, 10}));
  EXPECT_EQ(kernel().FindLink(single).value()->open_queues, std::nullopt);
}

// Processes that wait for the name open nothing, before the TAP has an owner or after.
TEST_F(HolderTest, OpensAMultiQueueTapToNobodyWhoWaitsForItsName) {
  std::atomic<bool> over = false;
  std::atomic<int> opened = 0;
  std::vector<std::thread> racers;
  for (int i = 0; i < 2; ++i) {
    racers.emplace_back([&] {
      const testing::BorrowedIds nobody({.uid = 1001, .gid = 1001, .groups = {}});
      while (!over) {
        int error = 0;
        const UniqueFd stranger = Open("tap1", IFF_MULTI_QUEUE, &error);
        if (error == 0) ++opened;
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    const Ifindex tap = MakeTap("tap1", true);
    EXPECT_EQ(kernel().FindLink(tap).value()->name, "tap1");
    EXPECT_TRUE(reaper().DeleteLink(tap).ok());
  }
  over = true;
  for (std::thread& racer : racers) racer.join();
  EXPECT_EQ(opened, 0);
}

TEST_F(HolderTest, AMultiQueueTapWhoseNameIsTakenIsNotMade) {
  testing::Shell("ip tuntap add tap1 mode tap");
  const std::string before = testing::NetworkPicture();
  EXPECT_TRUE(absl::IsAlreadyExists(
      kernel()
          .OpenNewTap({.name = Name("tap1"), .owner = 1000, .group_gid = {}, .multi_queue = true})
          .status()));
  EXPECT_EQ(testing::NetworkPicture(), before);
}

TEST_F(HolderTest, SaysWhatATapWasInBetween) {
  const Ifindex tap = MakeTap("tap1", false);
  int error = 0;
  const UniqueFd holder = Open("tap1", 0, &error);
  ASSERT_TRUE(kernel().TakeChanges().ok());
  ASSERT_EQ(ioctl(holder.get(), TUNSETOWNER, 1001), 0);
  ASSERT_EQ(ioctl(holder.get(), TUNSETOWNER, 1000), 0);
  const KernelChanges changes = kernel().TakeChanges().value();
  EXPECT_EQ(changes.links.at(tap).owner, 1000u);
  const auto was_anothers = [](const Link& link) { return link.owner == 1001u; };
  EXPECT_THAT(changes.earlier_taps, Contains(::testing::Truly(was_anothers)));
}

TEST_F(HolderTest, ReadsWhichMacsHaveAPlaceOnTheBridge) {
  const Ifindex tap = MakeTap("tap1", false);
  const MacAddress other_guest({2, 0, 0, 0, 0, 10});
  MakeTap("tap2", false, other_guest);
  EXPECT_THAT(kernel().ListStaticMacs(bridge_.ifindex).value(), Contains(Pair(tap, kGuest)));
  // Another port's own MAC takes the place.
  testing::Shell("ip link set tap2 address 02:00:00:00:00:09");
  EXPECT_THAT(kernel().ListStaticMacs(bridge_.ifindex).value(), Not(Contains(Pair(tap, kGuest))));
}

}  // namespace
}  // namespace svnet
