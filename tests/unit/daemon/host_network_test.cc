#include "daemon/address/host_network.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include "tests/unit/values.h"

namespace svnet {
namespace {

using testing::Ip;
using testing::Prefix;

constexpr Ifindex kBridge = 3;

HostNetwork Host() {
  return {.links = {{.ifindex = 2, .name = "eth0", .mtu = 1400},
                    {.ifindex = kBridge, .name = "svbr0", .mtu = 9000},
                    {.ifindex = 4, .name = "wg0", .mtu = 1420}},
          .addresses = {},
          .routes = {}};
}

std::optional<std::string> Conflict(const HostNetwork& host) {
  return FindConflict(host, Prefix("172.30.0.0/24"), kBridge);
}

TEST(ConflictTest, AddressesThatOverlap) {
  for (const auto& [address, length, conflicts] : {std::tuple("172.30.0.9", 24, true),
                                                   {"172.30.0.9", 32, true},
                                                   {"172.30.5.9", 16, true},
                                                   {"172.31.0.9", 24, false},
                                                   {"172.30.1.1", 24, false}}) {
    HostNetwork host = Host();
    host.addresses = {{.ifindex = 2,
                       .address = Ip(address),
                       .prefix = Ipv4Prefix::Containing(Ip(address), length)}};
    EXPECT_EQ(Conflict(host).has_value(), conflicts) << address << "/" << length;
    host.addresses[0].ifindex = kBridge;
    EXPECT_FALSE(Conflict(host).has_value());
  }
}

TEST(ConflictTest, RoutesThatOverlapNameTheirLink) {
  HostNetwork host = Host();
  host.routes = {{.destination = Prefix("172.16.0.0/12"), .ifindex = 4}};
  EXPECT_EQ(Conflict(host), "the route 172.16.0.0/12 by link wg0");
  host.routes[0].ifindex = 99;
  EXPECT_EQ(Conflict(host), "the route 172.16.0.0/12 by link number 99");
  host.routes[0].ifindex = kBridge;
  EXPECT_EQ(Conflict(host), std::nullopt);
}

TEST(ConflictTest, EverywhereIsNotThere) {
  HostNetwork host = Host();
  host.routes = {{.destination = Prefix("0.0.0.0/0"), .ifindex = 2},
                 {.destination = Prefix("0.0.0.0/1"), .ifindex = 4},
                 {.destination = Prefix("128.0.0.0/1"), .ifindex = 4}};
  EXPECT_EQ(Conflict(host), std::nullopt);
}

// Fault 6: of several default routes, the one that the kernel takes.
TEST(UplinksTest, BeginWithThePreferredDefaultRoute) {
  HostNetwork host = Host();
  EXPECT_TRUE(FindUplinks(host).empty());
  const Ipv4Prefix everywhere = Prefix("0.0.0.0/0");
  host.routes = {
      {.destination = everywhere, .ifindex = 2, .table = RT_TABLE_MAIN, .metric = 600},
      {.destination = everywhere, .ifindex = 4, .table = RT_TABLE_MAIN, .metric = 100},
      {.destination = everywhere, .ifindex = kBridge, .table = 77, .metric = 1},
      {.destination = Prefix("10.0.0.0/8"), .ifindex = 2, .table = RT_TABLE_MAIN, .metric = 0}};
  ASSERT_EQ(FindUplinks(host).size(), 2u);
  EXPECT_EQ(FindUplinks(host)[0]->name, "wg0");
  EXPECT_EQ(FindUplinks(host)[1]->name, "eth0");
}

}  // namespace
}  // namespace svnet
