// A routed network, over a kernel in memory: what is other than on a bridge.
#include "daemon/base/error.h"
#include "daemon/segment/owner_groups.h"
#include "tests/unit/daemon/repair_fixture.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const uint32_t kBase = DeriveRoutedGroup(Name("svbr0"));

class RoutedNetworkTest : public NetworkRegistryTest {
 protected:
  RoutedNetworkTest() { settings_.kind = NetworkKind::kRouted; }

  Link* Tap(const std::string& name = "svvm1eth0") { return kernel_.Find(name); }
  uint32_t GroupOf(const std::string& name) { return kernel_.Find(name)->group; }
};

TEST_F(RoutedNetworkTest, ALeaseIsATapWithARouteAndANeighbour) {
  const Lease lease = MustCreate(kAlice, "vm1");
  EXPECT_EQ(lease.spec.ip, Ip("172.30.0.2"));
  EXPECT_EQ(Tap()->master, 0);
  EXPECT_EQ(Tap()->mac, kGatewayMac);
  EXPECT_TRUE(Tap()->routed);
  EXPECT_THAT(*kernel_.ListGuestRoutes(),
              ElementsAre(GuestRoute{.tap = Tap()->ifindex, .guest = lease.spec.ip}));
  EXPECT_THAT(*kernel_.ListNeighbours(Tap()->ifindex),
              ElementsAre(Neighbour{.address = lease.spec.ip, .mac = lease.spec.mac}));
  EXPECT_EQ(firewall_.bindings().at(Tap()->ifindex).zone, GroupOf("svvm1eth0"));
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(RoutedNetworkTest, AHostThatIgnoresArpIsSaidAsLongAsThereAreLeases) {
  kernel_.IgnoreArp(true);
  EXPECT_THAT(Conditions(), IsEmpty());
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(Conditions(), ElementsAre("ARP_IGNORED"));
  kernel_.IgnoreArp(false);
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(RoutedNetworkTest, NobodyGetsTheMacThatGuestsTakeForTheGateways) {
  const auto refused =
      api().CreateTap(kAlice, {.vm = Vm("vm1"), .iface = Iface("eth0"), .mac = kGatewayMac});
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kAddressInUse);
}

TEST_F(RoutedNetworkTest, TheTapsOfAnOwnerAreInOneLinkGroup) {
  MustCreate(kAlice, "vm1");
  MustCreate(kBob, "vm2");
  MustCreate(kAlice, "vm3");
  EXPECT_EQ(GroupOf("svvm1eth0"), kBase + kFirstOwnerGroup);
  EXPECT_EQ(GroupOf("svvm2eth0"), kBase + kFirstOwnerGroup + 1);
  EXPECT_EQ(GroupOf("svvm3eth0"), GroupOf("svvm1eth0"));
}

TEST_F(RoutedNetworkTest, ARemovedTapIsCutOffAtOnce) {
  const Lease lease = MustCreate(kAlice, "vm1");
  ASSERT_TRUE(api().RemoveTap(kAlice, ByIds("vm1")).ok());
  EXPECT_THAT(*kernel_.ListGuestRoutes(), IsEmpty());
  EXPECT_TRUE(RetiredGroupNumber(kBase, GroupOf("svvm1eth0")).has_value());
  Reap();
  EXPECT_EQ(Tap(), nullptr);
  EXPECT_EQ(kernel_.TakeForgotten(), std::set<Ipv4Address>{lease.spec.ip});
}

// Whoever routes guests' addresses elsewhere costs nobody more than these.
TEST_F(RoutedNetworkTest, AnAddressThatTheHostRoutesElsewhereIsPassedOver) {
  MustCreate(kAlice, "vm1");
  kernel_.RouteGuest(Ip("172.30.0.3"), "eth0");
  kernel_.RouteGuest(Ip("172.30.0.4"), "eth0");
  EXPECT_EQ(MustCreate(kAlice, "vm2").spec.ip, Ip("172.30.0.5"));
  EXPECT_EQ(MustCreate(kAlice, "vm3").spec.ip, Ip("172.30.0.6"));
  const auto create = [&] {
    return api().CreateTap(kAlice,
                           {.vm = Vm("vm4"), .iface = Iface("eth0"), .ip = Ip("172.30.0.3")});
  };
  const auto asked = create();
  EXPECT_EQ(ReasonOf(asked.status()), Reason::kAddressInUse);
  EXPECT_THAT(asked.status().message(), HasSubstr("ip route get 172.30.0.3"));
  EXPECT_THAT(List(kRoot), SizeIs(3));
  // As soon as the route is gone, it can be had.
  kernel_.ForgetGuestRoute(Ip("172.30.0.3"));
  EXPECT_TRUE(create().ok());
}

TEST_F(RoutedNetworkTest, AHostThatRoutesManyAddressesElsewhereIsSaid) {
  MustCreate(kBob, "vm0");
  for (uint32_t i = 3; i < 40; ++i) {
    kernel_.RouteGuest(Ipv4Address(Ip("172.30.0.0").value() + i), "eth0");
  }
  const auto first = Create(kAlice, "vm1");
  EXPECT_EQ(ReasonOf(first.status()), Reason::kAddressInUse);
  EXPECT_THAT(first.status().message(), HasSubstr("the host has a route to 172.30.0.18"));
  EXPECT_EQ(Tap(), nullptr);
  // The next ones go on from there.
  EXPECT_FALSE(Create(kAlice, "vm1").ok());
  EXPECT_EQ(MustCreate(kAlice, "vm1").spec.ip, Ip("172.30.0.40"));
}

TEST_F(RoutedNetworkTest, AFailureLeavesNothingBehind) {
  MustCreate(kBob, "vm0");
  const std::string before = Picture();
  for (const char* step : {"OpenNewTap", "Bind", "Route", "Persist"}) {
    faults_.FailNext(step, absl::InternalError("no luck"));
    EXPECT_FALSE(Create(kAlice, "vm1").ok()) << step;
    EXPECT_EQ(Picture(), before) << step;
  }
  // The link group that it had for a moment is the last to come again.
  MustCreate(kAlice, "vm1");
  EXPECT_EQ(GroupOf("svvm1eth0"), kBase + kFirstOwnerGroup + 2);
}

TEST_F(RoutedNetworkTest, ARestartAdoptsIt) {
  MustCreate(kAlice, "vm1");
  MustCreate(kBob, "vm2");
  MustCreate(kAlice, "vm3");
  ASSERT_TRUE(api().RemoveTap(kAlice, ByIds("vm3")).ok());
  const std::string before = Picture();
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Picture(), before);
  EXPECT_THAT(List(kRoot), SizeIs(2));
  Reap();
  EXPECT_EQ(Tap("svvm3eth0"), nullptr);
  // The owners keep their groups, in whatever order they are found.
  const uint32_t group = GroupOf("svvm2eth0");
  MustCreate(kBob, "vm4");
  EXPECT_EQ(GroupOf("svvm4eth0"), group);
}

TEST_F(RoutedNetworkTest, ARestartRepairsWhatItMissed) {
  const Lease lease = MustCreate(kAlice, "vm1");
  MustCreate(kBob, "vm2");
  const std::string before = Picture();
  registry_.reset();
  kernel_.ForgetGuestRoute(lease.spec.ip);
  kernel_.ForgetNeighbour(Ip("172.30.0.3"));
  kernel_.TakeChanges().IgnoreError();  // nobody heard it
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Picture(), before);
}

// What holds a route that no lease has, has lost its lease.
TEST_F(RoutedNetworkTest, ARestartDeletesRoutesOfNoLease) {
  const Lease lease = MustCreate(kAlice, "vm1");
  MustCreate(kBob, "vm2");
  ASSERT_TRUE(kernel_
                  .SetGuestRoute({.tap = Tap("svvm2eth0")->ifindex, .guest = Ip("172.30.0.9")},
                                 Ip("172.30.0.1"))
                  .ok());
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(*kernel_.ListGuestRoutes(), SizeIs(2));
}

class RoutedRepairTest : public RepairFixture {
 protected:
  RoutedRepairTest() : RepairFixture(NetworkKind::kRouted) {}
};

TEST_F(RoutedRepairTest, RepairsWhateverIsDoneToATap) {
  Tap()->name = "renamed";
  ExpectRepaired("it was renamed to renamed");
  kernel_.SetDown("svvm1eth0");
  ExpectRepaired("it was down");
  Tap()->mtu = 900;
  ExpectRepaired("it had MTU 900");
  Tap()->group = 0;
  ExpectRepaired("it was in link group 0");
  Tap()->alias = "";
  ExpectRepaired("it had another alias");
  Tap()->master = kernel_.Find("svbr0")->ifindex;
  ExpectRepaired("it was on a bridge");
}

TEST_F(RoutedRepairTest, RepairsTheWayToAGuest) {
  kernel_.SpoilRouting("svvm1eth0");
  ExpectRepaired("it had other settings (rp_filter, proxy_arp)");
  kernel_.SetDownAndSoonUp("svvm1eth0");
  ExpectRepaired("it was down");
  kernel_.ForgetGuestRoute(Ip("172.30.0.2"));
  ExpectRepaired("it had lost its route");
  kernel_.ForgetNeighbour(Ip("172.30.0.2"));
  ExpectRepaired("its guest's MAC was changed (ip neighbour)");
}

TEST_F(RoutedRepairTest, RepairsTheGateway) {
  kernel_.Delete("svbr0");
  registry().HandleEvents();
  EXPECT_THAT(*kernel_.ListAddresses(),
              ::testing::Contains(::testing::Field(&LinkAddress::address, Ip("172.30.0.1"))));
  EXPECT_THAT(log_, ElementsAre(HasSubstr("the bridge was gone")));
  EXPECT_THAT(*kernel_.ListGuestRoutes(), SizeIs(2));
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(RoutedRepairTest, ReadsEverythingWhenNotificationsWereLost) {
  kernel_.ForgetGuestRoute(Ip("172.30.0.2"));
  kernel_.LoseChanges();
  registry().HandleEvents();
  EXPECT_EQ(Picture(), before_);
}

// Nobody else's lease is touched by that.
TEST_F(RoutedRepairTest, AHolderThatTakesAnothersMacLosesItsOwnLease) {
  kernel_.SetOwnMac("svvm2eth0", List(kAlice)[0].spec.mac);
  registry().HandleEvents();
  EXPECT_THAT(List(kBob), IsEmpty());
  EXPECT_THAT(List(kAlice), SizeIs(1));
  EXPECT_THAT(log_, ElementsAre(HasSubstr("the process that holds the TAP has changed it")));
}

TEST(OwnerGroupsTest, AnOwnerHasOneAsLongAsItHasATap) {
  OwnerGroups groups(kBase);
  const uint32_t first = kBase + kFirstOwnerGroup;
  EXPECT_EQ(groups.Of(1), first);
  EXPECT_EQ(groups.Of(2), first);  // neither has a TAP
  groups.Insert(1, 7);
  groups.Insert(1, 8);
  groups.Insert(2, 9);
  EXPECT_EQ(groups.Of(2), first + 1);
  groups.Erase(1, 7);
  EXPECT_EQ(groups.Of(1), first);
  groups.Erase(1, 8);
  groups.Erase(1, 8);
  // Not the one that was just given back.
  EXPECT_EQ(groups.Of(1), first + 2);
}

TEST(OwnerGroupsTest, AdoptedTapsKeepTheirsUnlessTwoOwnersHaveIt) {
  OwnerGroups groups(kBase);
  groups.Insert(1, 7, kBase + 500);
  groups.Insert(2, 8, kBase + 500);
  groups.Insert(3, 9, kBase + 3);    // one of the retired
  groups.Insert(4, 10, 0x70000000);  // another network's
  EXPECT_EQ(groups.Of(1), kBase + 500);
  EXPECT_EQ(groups.Of(2), kBase + kFirstOwnerGroup);
  EXPECT_EQ(groups.Of(3), kBase + kFirstOwnerGroup + 1);
  EXPECT_EQ(groups.Of(4), kBase + kFirstOwnerGroup + 2);
}

TEST(OwnerGroupsTest, ThereIsRoomForSoManyOwners) {
  OwnerGroups groups(kBase);
  for (uid_t owner = 0; groups.HasRoom(); ++owner) groups.Insert(owner, 1);
  EXPECT_EQ(groups.Of(0), kBase + kFirstOwnerGroup);
  EXPECT_EQ(groups.Of(65535 - kFirstOwnerGroup), kBase + 65535);
  groups.Erase(7, 1);
  EXPECT_TRUE(groups.HasRoom());
  EXPECT_EQ(groups.Of(99'999), kBase + kFirstOwnerGroup + 7);
}

}  // namespace
}  // namespace svnet
