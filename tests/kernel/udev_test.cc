// What a real systemd-udevd does to TAPs, with and without svnet's files for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/kernel/kernel_test.h"
#include "tests/sandbox/udevd.h"
#include "tests/test_run.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Shell;
using testing::Udevd;

constexpr int kSome = 200;
constexpr int kPortsOfABridge = 1000;
constexpr uint32_t kTaps = 7;  // their link group

// As many as a host may get, with tests/run.sh --soak.
int Many() { return testing::Soaks() ? 4000 : kSome; }

class UdevTest : public testing::KernelTest {
 protected:
  static LinkName Name(int number) {
    return LinkName::Parse(absl::StrCat("svvm", number, "eth0")).value();
  }
  static MacAddress MacOf(int number) {
    return MacAddress(
        {0xc2, 9, 9, 9, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)});
  }

  Ifindex EnsureBridge(int number) {
    BridgeSpec spec = Spec();
    spec.name = LinkName::Parse(absl::StrCat("svbr", number)).value();
    spec.mac = MacAddress({0xc2, 1, 2, 3, 4, static_cast<uint8_t>(number)});
    spec.gateway = Ipv4Address(0x0a090001 + (number << 8));
    spec.prefix = Ipv4Prefix::Containing(spec.gateway, 24);
    return kernel().EnsureBridge(spec).value().ifindex;
  }

  // As svnetd makes it.
  Ifindex MakeTap(int number, Ifindex bridge) {
    auto tap = kernel().OpenNewTap({.name = Name(number), .owner = 1000, .group_gid = {}});
    EXPECT_TRUE(tap.ok()) << tap.status();
    EXPECT_TRUE((*tap)->SwitchIpv6Off().ok());
    EXPECT_TRUE((*tap)
                    ->Join({.bridge = bridge,
                            .alias = absl::StrCat("svnet2 n=default v=vm", number),
                            .group = kTaps,
                            .mtu = 1400,
                            .mac = MacOf(number),
                            .guest = MacAddress({2, 0, 0, 0, 0, 9}),
                            .isolated = false})
                    .ok());
    EXPECT_TRUE((*tap)->Persist().ok());
    return (*tap)->ifindex();
  }

  // By their number.
  std::vector<Ifindex> MakeTaps(int count) {
    std::vector<Ifindex> taps;
    Ifindex bridge = 0;
    for (int i = 0; i < count; ++i) {
      if (i % kPortsOfABridge == 0) bridge = EnsureBridge(i / kPortsOfABridge);
      taps.push_back(MakeTap(i, bridge));
    }
    return taps;
  }

  // What udevd takes for a TAP.
  absl::Duration MeasureTap(Udevd::Files files) {
    Udevd udevd(files);
    MakeTaps(kSome);
    EXPECT_TRUE(udevd.Settle(absl::Seconds(30)));
    const absl::Duration used = udevd.Stop();
    Shell(absl::StrCat("ip link delete group ", kTaps));
    return used / kSome;
  }
};

TEST_F(UdevTest, KeepsUpAndLeavesTapsAsTheyAre) {
  Udevd udevd(Udevd::Files::kOurs);
  const std::vector<Ifindex> taps = MakeTaps(Many());
  EXPECT_TRUE(udevd.Settle());
  for (size_t i = 0; i < taps.size(); ++i) {
    const int number = static_cast<int>(i);
    const std::optional<Link> tap = kernel().FindLink(taps[i]).value();
    ASSERT_TRUE(tap.has_value()) << Name(number).text();
    EXPECT_EQ(tap->name, Name(number).text());
    EXPECT_EQ(tap->mac, MacOf(number)) << tap->name;
    const std::string data = Udevd::Data(taps[i]);
    EXPECT_THAT(data, HasSubstr("/10-svnet.link\n")) << tap->name;
    EXPECT_THAT(data, HasSubstr("Q:svnet\n")) << tap->name;
    EXPECT_THAT(data, Not(HasSubstr("systemd\n"))) << tap->name;  // nor was it ever
  }
}

TEST_F(UdevTest, TakesLessThanHalfOfTheTime) {
  const absl::Duration without = MeasureTap(Udevd::Files::kNone);
  const absl::Duration with = MeasureTap(Udevd::Files::kOurs);
  std::cout << "  a TAP takes udevd " << absl::ToInt64Microseconds(without) << " us, and "
            << absl::ToInt64Microseconds(with) << " us (" << absl::FDivDuration(with, without)
            << ") with our files\n";
  EXPECT_LT(with * 2, without);
}

// Also when it gets the name of one that svnetd is about to destroy.
TEST_F(UdevTest, ATapHasNoUnitUntilItsEnd) {
  Udevd udevd(Udevd::Files::kOurs);
  const Ifindex tap = MakeTaps(1).front();
  ASSERT_TRUE(udevd.Settle());
  ASSERT_TRUE(kernel().RenameLink(tap, LinkName::Parse("sv-7").value()).ok());
  ASSERT_TRUE(udevd.Settle());
  EXPECT_THAT(Udevd::Data(tap), HasSubstr("=sv-7\n"));
  EXPECT_THAT(Udevd::Data(tap), Not(HasSubstr("systemd\n")));
  udevd.Trigger("add");
  ASSERT_TRUE(udevd.Settle());
  EXPECT_THAT(Udevd::Data(tap), Not(HasSubstr("systemd\n")));
}

// The others of that name keep their units, and what sysctl.d has for all links.
TEST_F(UdevTest, OnlySvnetdsTapsAreLeftAlone) {
  Udevd udevd(Udevd::Files::kOurs);
  Shell("mkdir /run/sysctl.d; echo 'net.ipv4.conf.*.medium_id = 77' >/run/sysctl.d/zz.conf");
  const Ifindex ours = MakeTaps(1).front();
  Shell(
      "ip tuntap add svpn mode tun vnet_hdr; ip tuntap add svother mode tap;"
      "ip tuntap add svalias mode tap vnet_hdr; ip link add svveth type veth peer name svpeer;"
      "ip tuntap add lookalike mode tap vnet_hdr");
  // Its alias says so, once it has one.
  Shell("ip link set svalias alias mine");
  udevd.Trigger("add");
  ASSERT_TRUE(udevd.Settle());
  const auto medium = [](absl::string_view link) {
    return Shell(absl::StrCat("cat /proc/sys/net/ipv4/conf/", link, "/medium_id"));
  };
  EXPECT_EQ(medium(Name(0).text()), "0\n");
  EXPECT_THAT(Udevd::Data(ours), Not(HasSubstr("Q:systemd\n")));
  for (const char* other : {"svpn", "svother", "svalias", "svveth", "lookalike", "svbr0"}) {
    EXPECT_EQ(medium(other), "77\n") << other;
    const Link link = kernel().FindLink(LinkName::Parse(other).value()).value().value();
    EXPECT_THAT(Udevd::Data(link.ifindex), HasSubstr("Q:systemd\n")) << other;
  }
}

// systemd, which has units for them, hears that the tag is gone, and forgets them.
TEST_F(UdevTest, TapsThatAreOlderThanTheFilesLoseTheirUnits) {
  Udevd udevd(Udevd::Files::kNone);
  const Ifindex tap = MakeTaps(1).front();
  ASSERT_TRUE(udevd.Settle());
  EXPECT_THAT(Udevd::Data(tap), HasSubstr("\nQ:systemd\n"));
  udevd.InstallFiles();
  udevd.Trigger("change");
  ASSERT_TRUE(udevd.Settle());
  EXPECT_THAT(Udevd::Data(tap), Not(HasSubstr("\nQ:systemd\n")));
  EXPECT_THAT(Udevd::Data(tap), HasSubstr("\nG:systemd\n"));
}

}  // namespace
}  // namespace svnet
