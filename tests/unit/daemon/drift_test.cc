// How the drift of a TAP is described.
#include "daemon/lease/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "daemon/lease/alias.h"
#include "daemon/lease/names.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using testing::Iface;
using testing::Ip;
using testing::Mac;
using testing::Name;
using testing::Vm;

constexpr Ifindex kBridge = 7;

TapPlan Plan() {
  return {.bridge_name = Name("svbr0"),
          .bridge = kBridge,
          .group = 100,
          .mac = kTapMac,
          .isolated = true};
}

Lease Vm1() {
  return {.spec = {.key = {.owner = 1000, .vm = Vm("vm1"), .iface = Iface("eth0")},
                   .tap = Name("svvm1eth0"),
                   .ip = Ip("172.30.0.2"),
                   .mac = Mac("02:29:a3:2f:41:c8")},
          .state = {.ifindex = 8, .mtu = 1500, .bridge = kBridge, .pinned = true}};
}

// Its TAP as it should be.
Link Tap() {
  return {.ifindex = 8,
          .name = "svvm1eth0",
          .kind = LinkKind::kTap,
          .alias = FormatAlias(Vm1().spec),
          .master = kBridge,
          .mac = kTapMac,
          .mtu = 1500,
          .group = 100,
          .up = true,
          .pinned = true};
}

TEST(TapPlanTest, HasWhatTheLeaseAndTheNetworkSay) {
  const PortSpec port = PlanPort(Vm1(), Plan());
  EXPECT_EQ(port.bridge, kBridge);
  EXPECT_EQ(port.group, 100u);
  EXPECT_EQ(port.mtu, 1500u);
  EXPECT_EQ(port.mac, kTapMac);
  EXPECT_EQ(port.guest, Vm1().spec.mac);
  EXPECT_TRUE(port.isolated);
  EXPECT_EQ(port.alias, FormatAlias(Vm1().spec));
}

struct Drift {
  std::string name;
  std::function<void(Link*)> make;
  std::string described;

  friend void PrintTo(const Drift& drift, std::ostream* out) { *out << drift.name; }
};

class DriftTest : public ::testing::TestWithParam<Drift> {};

TEST_P(DriftTest, IsDescribed) {
  Link link = Tap();
  GetParam().make(&link);
  EXPECT_EQ(DescribeDrift(Vm1(), link, Plan()), GetParam().described);
}

INSTANTIATE_TEST_SUITE_P(
    Each, DriftTest,
    ::testing::Values(
        Drift{"None", [](Link*) {}, ""},
        Drift{"Renamed", [](Link* link) { link->name = "a\x1b[2J"; },
              "it was renamed to a\\x1b[2J"},
        Drift{"OffTheBridge", [](Link* link) { link->master = 0; }, "it was off the bridge"},
        Drift{"OnAnotherBridge", [](Link* link) { link->master = 9; }, "it was off the bridge"},
        Drift{"Down", [](Link* link) { link->up = false; }, "it was down"},
        Drift{"Mtu", [](Link* link) { link->mtu = 900; }, "it had MTU 900"},
        Drift{"Group", [](Link* link) { link->group = 3; }, "it was in link group 3"},
        Drift{"Alias", [](Link* link) { link->alias = "mine"; }, "it had another alias"},
        Drift{"Port", [](Link* link) { link->pinned = false; },
              "its port had other settings (learning, flooding, group addresses)"},
        Drift{"PortSettingsOfATapOffTheBridge",
              [](Link* link) {
                link->master = 0;
                link->pinned = false;
              },
              "it was off the bridge"},
        Drift{"Several",
              [](Link* link) {
                link->up = false;
                link->mtu = 900;
              },
              "it was down, it had MTU 900"},
        // Carrier and owner are not svnetd's to repair.
        Drift{"WhatTheHolderMayChoose",
              [](Link* link) {
                link->carrier = true;
                link->carrier_ups = 3;
                link->owner = 1000;
              },
              ""}),
    [](const auto& test) { return test.param.name; });

TEST(DriftTest, PortSettingsThatTheKernelCannotHaveAreNoDrift) {
  Lease lease = Vm1();
  lease.state.pinned = false;
  Link link = Tap();
  link.pinned = false;
  EXPECT_EQ(DescribeDrift(lease, link, Plan()), "");
}

}  // namespace
}  // namespace svnet
