// Every decision, over a kernel and a firewall in memory.
#include "daemon/network/network_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

#include "daemon/base/error.h"
#include "daemon/network/network_observer.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

TEST_F(NetworkRegistryTest, StartsWithoutTouchingAnything) {
  const std::string before = Picture();
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Picture(), before);
}

TEST_F(NetworkRegistryTest, TheFirstTapMakesTheNetwork) {
  const Lease lease = MustCreate(kAlice, "vm1");
  EXPECT_EQ(lease.spec.tap, Name("svvm1eth0"));
  EXPECT_EQ(lease.spec.ip, Ip("172.30.0.2"));
  EXPECT_EQ(lease.spec.mac, Mac("02:29:a3:2f:41:c8"));
  EXPECT_EQ(lease.state.mtu, 1500u);
  const std::string group = absl::StrCat(DeriveLinkGroup(Name("svbr0")));
  EXPECT_EQ(
      Picture(),
      "link eth0 kind=0 master=- mac=00:00:00:00:00:00 mtu=1500 group=0 up carrier alias=\"\"\n"
      "link svbr0 kind=1 master=- mac=c2:00:00:00:00:01 mtu=1500 group=0 up "
      "alias=\"svnet-bridge\"\n"
      "link svvm1eth0 kind=2 master=svbr0 mac=c2:73:76:6e:65:74 mtu=1500 group=" +
          group +
          " up persistent pinned guest=02:29:a3:2f:41:c8 owner=1000 alias=\"svnet2 n=default "
          "v=vm1 i=eth0 a=ac1e0002 m=0229a32f41c8 q=1 o=rs t=tro8w0 e=1\"\n"
          "address 192.0.2.10/24 dev eth0\n"
          "address 172.30.0.1/24 dev svbr0\n"
          "neighbour 172.30.0.2 02:29:a3:2f:41:c8 dev svbr0\n"
          "route 0.0.0.0/0 dev eth0\n"
          "rules of default for c2:00:00:00:00:01\n"
          "for its guests alone\n"
          "binding 3 02:29:a3:2f:41:c8 172.30.0.2 zone 1000\n");
}

// A daemon killed between any two steps leaves no device: it is made persistent last.
TEST_F(NetworkRegistryTest, TheTapBecomesPersistentLast) {
  MustCreate(kAlice, "vm1");
  faults_.TakeCalls();
  MustCreate(kAlice, "vm2");
  const std::vector<std::string> calls = faults_.TakeCalls();
  EXPECT_EQ(calls.back(), "Persist");
}

TEST_F(NetworkRegistryTest, ARepeatedRequestIsTheSameLease) {
  const Lease lease = MustCreate(kAlice, "vm1");
  const std::string before = Picture();
  EXPECT_EQ(MustCreate(kAlice, "vm1"), lease);
  EXPECT_EQ(Picture(), before);
}

TEST_F(NetworkRegistryTest, ADifferentRequestForTheSameIdsIsAConflict) {
  const TapRequest made = {.vm = Vm("vm1"), .iface = Iface("eth0"), .group = 44, .queues = 2};
  ASSERT_TRUE(api().CreateTap(kAlice, made).ok());
  const std::string before = Picture();
  const auto refused = [&](const std::function<void(TapRequest*)>& change) {
    TapRequest request = made;
    change(&request);
    return ReasonIn(api().CreateTap(kAlice, request).status());
  };
  EXPECT_EQ(refused([](TapRequest* r) { r->ip = Ip("172.30.0.9"); }), "LEASE_CONFLICT");
  EXPECT_EQ(refused([](TapRequest* r) { r->mac = Mac("02:00:00:00:00:09"); }), "LEASE_CONFLICT");
  EXPECT_EQ(refused([](TapRequest* r) { r->queues = 1; }), "LEASE_CONFLICT");
  EXPECT_EQ(refused([](TapRequest* r) { r->group = 105; }), "LEASE_CONFLICT");
  EXPECT_EQ(refused([](TapRequest* r) { r->group.reset(); }), "LEASE_CONFLICT");
  EXPECT_EQ(refused([](TapRequest* r) { r->ip = Ip("172.30.0.2"); }), "OK");
  EXPECT_EQ(Picture(), before);
}

// Fault 3: each gets its own device.
TEST_F(NetworkRegistryTest, NamesThatCollideAreDifferentDevices) {
  kernel_.AddLink({.name = "svforeeth0"});
  EXPECT_EQ(MustCreate(kAlice, "same-vm-1").spec.tap, Name("svsameeth0"));
  EXPECT_EQ(MustCreate(kAlice, "same-vm-2").spec.tap,
            HashedTapName({1000, Vm("same-vm-2"), Iface("eth0")}, 0));
  EXPECT_EQ(MustCreate(kBob, "same-vm-1").spec.tap,
            HashedTapName({1001, Vm("same-vm-1"), Iface("eth0")}, 0));
  EXPECT_EQ(MustCreate(kBob, "foreign").spec.tap,
            HashedTapName({1001, Vm("foreign"), Iface("eth0")}, 0));
}

TEST_F(NetworkRegistryTest, AHashedNameThatIsTakenTooIsHashedAgain) {
  const LeaseKey key = {1000, Vm("vm1"), Iface("eth0")};
  kernel_.AddLink({.name = "svvm1eth0"});
  for (int i = 0; i < 3; ++i) kernel_.AddLink({.name = HashedTapName(key, i).text()});
  EXPECT_EQ(MustCreate(kAlice, "vm1").spec.tap, HashedTapName(key, 3));
  for (int i = 3; i < 8; ++i) {
    if (kernel_.Find(HashedTapName(key, i).text()) == nullptr) {
      kernel_.AddLink({.name = HashedTapName(key, i).text()});
    }
  }
  EXPECT_TRUE(MustRemove(kAlice, ByIds("vm1")));
  kernel_.AddLink({.name = HashedTapName(key, 3).text()});
  EXPECT_EQ(ReasonIn(Create(kAlice, "vm1").status()), "TAP_CREATE_FAILED");
}

// Fault 9.
TEST_F(NetworkRegistryTest, MacsThatCollideBecomeDifferent) {
  EXPECT_EQ(MustCreate(kAlice, "vm1").spec.mac, DeriveGuestMac(Vm("vm1"), Iface("eth0"), 0));
  EXPECT_EQ(MustCreate(kBob, "vm1").spec.mac, DeriveGuestMac(Vm("vm1"), Iface("eth0"), 1));
}

TEST_F(NetworkRegistryTest, AParticularAddressAndMacAreChecked) {
  const auto answer = [&](const std::string& vm, std::optional<Ipv4Address> ip,
                          std::optional<MacAddress> mac) {
    return ReasonIn(
        api()
            .CreateTap(kAlice, {.vm = Vm(vm), .iface = Iface("eth0"), .ip = ip, .mac = mac})
            .status());
  };
  const std::string before = Picture();
  EXPECT_EQ(answer("a", Ip("172.30.0.1"), {}), "INVALID_ADDRESS");
  EXPECT_EQ(answer("a", Ip("172.30.0.255"), {}), "INVALID_ADDRESS");
  EXPECT_EQ(answer("a", Ip("10.0.0.1"), {}), "INVALID_ADDRESS");
  EXPECT_EQ(answer("a", {}, settings_.bridge_mac), "ADDRESS_IN_USE");
  EXPECT_EQ(Picture(), before);
  EXPECT_EQ(answer("a", Ip("172.30.0.254"), Mac("02:00:00:00:00:09")), "OK");
  EXPECT_EQ(answer("b", Ip("172.30.0.254"), {}), "ADDRESS_IN_USE");
  EXPECT_EQ(answer("b", {}, Mac("02:00:00:00:00:09")), "ADDRESS_IN_USE");
}

TEST_F(NetworkRegistryTest, ABridgesOtherAddressesAreNotForGuests) {
  const Ifindex bridge = kernel_.AddLink(
      {.name = "svbr0", .kind = LinkKind::kBridge, .mac = Mac("02:00:00:00:00:77"), .mtu = 1500});
  kernel_.AddAddress(
      {.ifindex = bridge, .address = Ip("172.30.0.2"), .prefix = Prefix("172.30.0.0/24")});
  EXPECT_EQ(MustCreate(kAlice, "vm1").spec.ip, Ip("172.30.0.3"));
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_total, 252u);
}

class SmallNetworkTest : public NetworkRegistryTest {
 protected:
  SmallNetworkTest() : NetworkRegistryTest("10.9.9.0/29") {}  // .2 to .6
};

// Faults 1 and 12.
TEST_F(SmallNetworkTest, AFullPoolRefusesAndOneRemovalMakesRoomForOne) {
  for (int i = 0; i < 5; ++i) MustCreate(kAlice, absl::StrCat("vm", i));
  const std::string before = Picture();
  EXPECT_EQ(ReasonIn(Create(kAlice, "more").status()), "ADDRESS_POOL_EXHAUSTED");
  EXPECT_EQ(Picture(), before);
  EXPECT_TRUE(MustRemove(kAlice, ByIds("vm3")));
  EXPECT_EQ(MustCreate(kAlice, "more").spec.ip, Ip("10.9.9.5"));
  EXPECT_EQ(ReasonIn(Create(kAlice, "still").status()), "ADDRESS_POOL_EXHAUSTED");
}

TEST_F(SmallNetworkTest, AddressesOfDeletedTapsComeBack) {
  for (int i = 0; i < 5; ++i) MustCreate(kAlice, absl::StrCat("vm", i));
  kernel_.Delete("svvm2eth0");
  EXPECT_EQ(List(kRoot).size(), 4u);
  Reap();
  EXPECT_EQ(MustCreate(kBob, "more").spec.ip, Ip("10.9.9.4"));
  EXPECT_EQ(List(kRoot).size(), 5u);
}

TEST_F(NetworkRegistryTest, AFullBridgeRefusesAndNothingStays) {
  MustCreate(kAlice, "vm1");
  const Ifindex bridge = kernel_.Find("svbr0")->ifindex;
  for (int i = 1; i < kMaxBridgePorts; ++i) {
    kernel_.AddLink({.name = absl::StrCat("port", i), .master = bridge});
  }
  const std::string before = Picture();
  EXPECT_EQ(ReasonIn(Create(kAlice, "vm2").status()), "BRIDGE_FULL");
  EXPECT_EQ(Picture(), before);
}

TEST_F(NetworkRegistryTest, OwnersSeeReadAndRemoveOnlyTheirOwn) {
  const Lease lease = MustCreate(kAlice, "vm1");
  const std::string before = Picture();
  EXPECT_THAT(List(kBob), IsEmpty());
  EXPECT_FALSE(MustRemove(kBob, LeaseSelector(lease.spec.tap)));
  EXPECT_FALSE(MustRemove(kBob, ByIds("vm1")));
  const auto boot_args = [&](const Caller& caller, const LeaseSelector& selector) {
    return api().GetBootArgs(caller, {.lease = selector, .guest_interface = Name("eth0")});
  };
  // Another's is exactly as an absent one.
  EXPECT_EQ(boot_args(kBob, lease.spec.tap).status(),
            Error(Reason::kTapNotFound, "there is no TAP svvm1eth0"));
  EXPECT_EQ(boot_args(kBob, Name("absent")).status(),
            Error(Reason::kTapNotFound, "there is no TAP absent"));
  EXPECT_EQ(CleanUp(kBob, {.scope = CleanupScope::kCaller})->taps_removed, 0u);
  EXPECT_EQ(Picture(), before);
  EXPECT_EQ(*boot_args(kAlice, lease.spec.tap),
            "ip=172.30.0.2::172.30.0.1:255.255.255.0::eth0:off");
  EXPECT_THAT(List(kRoot), ElementsAre(lease));
  EXPECT_TRUE(boot_args(kRoot, lease.spec.tap).ok());
  EXPECT_TRUE(MustRemove(kRoot, LeaseSelector(lease.spec.tap)));
  EXPECT_FALSE(MustRemove(kRoot, LeaseSelector(lease.spec.tap)));
}

TEST_F(NetworkRegistryTest, OnlyAdministratorsSpeakForOthers) {
  const TapRequest request = {.vm = Vm("vm1"), .iface = Iface("eth0"), .owner = 1001};
  EXPECT_EQ(ReasonIn(api().CreateTap(kAlice, request).status()), "PERMISSION_DENIED");
  EXPECT_EQ(api().CreateTap(kRoot, request)->spec.key.owner, 1001u);
  EXPECT_EQ(api().CreateTap(kBob, request)->spec.key.owner, 1001u);
  const LeaseSelector bobs = LeaseIds{.owner = 1001, .vm = Vm("vm1"), .iface = Iface("eth0")};
  EXPECT_EQ(ReasonIn(api().RemoveTap(kAlice, bobs).status()), "PERMISSION_DENIED");
  EXPECT_EQ(ReasonIn(CleanUp(kAlice, {.scope = CleanupScope::kNetwork}).status()),
            "PERMISSION_DENIED");
  EXPECT_TRUE(MustRemove(kRoot, bobs));
}

TEST_F(NetworkRegistryTest, AGroupIsOneThatTheCallerIsIn) {
  const auto create = [&](const Caller& caller, gid_t group) {
    return ReasonIn(
        api()
            .CreateTap(caller, {.vm = Vm("vm1"), .iface = Iface("eth0"), .group = group})
            .status());
  };
  EXPECT_EQ(create(kAlice, 999), "PERMISSION_DENIED");
  EXPECT_EQ(create(kAlice, 105), "OK");
  EXPECT_EQ(create(kRoot, 999), "OK");
}

// Fault 7.
TEST_F(NetworkRegistryTest, ARestartFindsTheSameLeasesAndTouchesNothing) {
  for (int i = 0; i < 5; ++i) MustCreate(i % 2 == 0 ? kAlice : kBob, absl::StrCat("vm", i));
  MustRemove(kAlice, ByIds("vm4"));
  kernel_.Find("svvm0eth0")->carrier = true;
  const std::vector<Lease> before = List(kRoot);
  const std::string picture = Picture();
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Picture(), picture);
  EXPECT_EQ(List(kRoot), before);
  EXPECT_EQ(MustCreate(kAlice, "new").spec.ip, Ip("172.30.0.6"));
}

TEST_F(NetworkRegistryTest, AStartWithLeasesMakesTheirNetworkWhole) {
  MustCreate(kAlice, "vm1");
  firewall_.Flush();
  kernel_.Find("svbr0")->up = false;
  kernel_.TurnForwardingOff();
  faults_.FailNext("EnsureBridge", absl::InternalError("no"));
  EXPECT_THAT(Conditions(), ElementsAre("BRIDGE_DOWN", "FORWARDING_OFF", "NAT_MISSING"));
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(NetworkRegistryTest, ForwardingIsTurnedOnWithTheFirstLeaseAndOffWithTheNetwork) {
  EXPECT_FALSE(*kernel_.IsForwarding());
  MustCreate(kAlice, "vm1");
  EXPECT_TRUE(*kernel_.IsForwarding());
  EXPECT_THAT(firewall_.Dump(), HasSubstr("for its guests alone"));
  EXPECT_THAT(noted_, ElementsAre(HasSubstr("ip_forward was 0 and is 1")));
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(firewall_.Dump(), HasSubstr("for its guests alone"));
  ASSERT_TRUE(CleanUp(kRoot, {.scope = CleanupScope::kNetwork}).ok());
  EXPECT_FALSE(*kernel_.IsForwarding());
  EXPECT_THAT(noted_.back(), HasSubstr("ip_forward is 0 again"));
}

// A network that an earlier svnetd left without leases is no reason for it.
TEST_F(NetworkRegistryTest, AStartWithoutLeasesTurnsNoForwardingOn) {
  MustCreate(kAlice, "vm1");
  MustRemove(kAlice, ByIds("vm1"));
  kernel_.TurnForwardingOff();
  ASSERT_TRUE(Start().ok());
  EXPECT_FALSE(*kernel_.IsForwarding());
  MustCreate(kAlice, "vm2");
  EXPECT_TRUE(*kernel_.IsForwarding());
}

TEST_F(NetworkRegistryTest, LeavesForwardingOpenThatWasOnBefore) {
  ASSERT_TRUE(kernel_.EnableForwarding().ok());
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(firewall_.Dump(), Not(HasSubstr("for its guests alone")));
  EXPECT_THAT(noted_, IsEmpty());
  ASSERT_TRUE(CleanUp(kRoot, {.scope = CleanupScope::kNetwork}).ok());
  EXPECT_TRUE(*kernel_.IsForwarding());
}

TEST_F(NetworkRegistryTest, ARefusedFirstLeaseLeavesForwardingOff) {
  for (const char* operation : {"EnableForwarding", "OpenNewTap", "Persist", "SetNeighbour"}) {
    faults_.FailNext(operation, absl::InternalError("no"));
    EXPECT_FALSE(Create(kAlice, "vm1").ok()) << operation;
    EXPECT_FALSE(*kernel_.IsForwarding()) << operation;
  }
}

TEST_F(NetworkRegistryTest, ReportsAConnectionTableThatIsNearlyFull) {
  firewall_.SetConnections({.used = 900, .size = 1000});
  EXPECT_THAT(Conditions(), IsEmpty());
  firewall_.SetConnections({.used = 901, .size = 1000});
  EXPECT_THAT(Conditions(), ElementsAre("CONNECTION_TABLE_NEARLY_FULL"));
  firewall_.SetConnections({});  // nothing is tracked, and nothing known
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(NetworkRegistryTest, AStartThatCannotMakeItWholeServesAllTheSame) {
  const Lease lease = MustCreate(kAlice, "vm1");
  faults_.FailNext("Apply", absl::InternalError("nftables: no"));
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(List(kAlice), ElementsAre(lease));
  EXPECT_THAT(log_, Contains(HasSubstr("nftables: no")));
  EXPECT_THAT(Conditions(), IsEmpty());  // the second try was in List
}

// Fault 5.
TEST_F(NetworkRegistryTest, ABridgeThatStoodBeforeIsUsedAndStays) {
  kernel_.AddLink(
      {.name = "svbr0", .kind = LinkKind::kBridge, .mac = Mac("02:00:00:00:00:77"), .mtu = 1300});
  const std::string before = Picture();
  EXPECT_EQ(MustCreate(kAlice, "vm1").state.mtu, 1300u);
  EXPECT_TRUE(kernel_.Find("svbr0")->up);
  const CleanupResult result = *CleanUp(kRoot, {.scope = CleanupScope::kNetwork});
  EXPECT_EQ(result.taps_removed, 1u);
  EXPECT_FALSE(result.bridge_removed);
  EXPECT_TRUE(result.nat_removed);
  EXPECT_EQ(Picture(), before);
}

TEST_F(NetworkRegistryTest, CleanupTakesAwayWhatItSays) {
  const std::string before = Picture();
  for (int i = 0; i < 3; ++i) MustCreate(kAlice, absl::StrCat("vm", i));
  MustCreate(kBob, "vm0");
  EXPECT_EQ(CleanUp(kAlice, {.scope = CleanupScope::kCaller})->taps_removed, 3u);
  EXPECT_EQ(List(kRoot).size(), 1u);
  const CleanupResult result = *CleanUp(kRoot, {.scope = CleanupScope::kNetwork});
  EXPECT_EQ(result.taps_removed, 1u);
  EXPECT_TRUE(result.bridge_removed);
  EXPECT_TRUE(result.nat_removed);
  EXPECT_EQ(Picture(), before);
  EXPECT_FALSE(CleanUp(kRoot, {.scope = CleanupScope::kNetwork})->bridge_removed);
  EXPECT_EQ(MustCreate(kAlice, "vm9").spec.tap, Name("svvm9eth0"));
}

TEST_F(NetworkRegistryTest, CleanupAlsoTakesTapsThatCouldNotBeAdopted) {
  MustCreate(kAlice, "vm1");
  kernel_.Find("svvm1eth0")->alias += " spoiled";
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(List(kRoot), IsEmpty());
  EXPECT_THAT(Conditions(), ElementsAre("TAP_NOT_ADOPTED"));
  EXPECT_EQ(CleanUp(kRoot, {.scope = CleanupScope::kNetwork})->taps_removed, 1u);
}

TEST_F(NetworkRegistryTest, ACleanupThatFailsMayBeRepeated) {
  const std::string before = Picture();
  for (int i = 0; i < 3; ++i) MustCreate(kAlice, absl::StrCat("vm", i));
  faults_.FailNext("DeleteGroup", absl::InternalError("EBUSY"));
  const absl::Status failed = CleanUp(kRoot, {.scope = CleanupScope::kNetwork}).status();
  EXPECT_EQ(ReasonIn(failed), "BRIDGE_SETUP_FAILED");
  EXPECT_THAT(failed.message(), HasSubstr("removed 3 TAPs"));
  EXPECT_THAT(List(kAlice), IsEmpty());
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 3u);
  EXPECT_TRUE(CleanUp(kRoot, {.scope = CleanupScope::kNetwork})->nat_removed);
  EXPECT_EQ(Picture(), before);
}

// It is destroyed, too, before the network goes.
TEST_F(NetworkRegistryTest, ACleanupTakesWhatIsCreatedMeanwhile) {
  const std::string before = Picture();
  MustCreate(kAlice, "vm1");
  faults_.BeforeNext("DeleteLink", [this] { MustCreate(kBob, "vm2"); });
  EXPECT_EQ(CleanUp(kRoot, {.scope = CleanupScope::kNetwork})->taps_removed, 2u);
  EXPECT_EQ(Picture(), before);
}

// The addresses come back when that is done.
TEST_F(NetworkRegistryTest, ACleanupDoesNotWaitUntilFlowsAreForgotten) {
  MustCreate(kAlice, "vm1");
  faults_.FailNext("ForgetFlows", absl::InternalError("EOPNOTSUPP"));
  EXPECT_TRUE(CleanUp(kRoot, {.scope = CleanupScope::kNetwork})->bridge_removed);
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 1u);
  Reap();
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_reaping, 0u);
}

TEST_F(NetworkRegistryTest, GivesARenamedTapItsNameAgain) {
  MustCreate(kAlice, "vm1");
  const std::string before = Picture();
  kernel_.Find("svvm1eth0")->name = "renamed";
  EXPECT_EQ(MustCreate(kAlice, "vm1").spec.tap, Name("svvm1eth0"));
  EXPECT_EQ(Picture(), before);
}

TEST_F(NetworkRegistryTest, MakesATapAgainThatWasDeleted) {
  MustCreate(kAlice, "vm1");
  kernel_.Delete("svvm1eth0");
  EXPECT_FALSE(MustRemove(kAlice, ByIds("vm1")));
  MustCreate(kAlice, "vm1");
  EXPECT_NE(kernel_.Find("svvm1eth0"), nullptr);
}

TEST_F(NetworkRegistryTest, AConflictIsRefusedAtStartAndWhenTheBridgeIsFirstMade) {
  ASSERT_TRUE(Start().ok());
  kernel_.AddRoute({.destination = Prefix("172.16.0.0/12"),
                    .ifindex = kernel_.Find("eth0")->ifindex,
                    .table = RT_TABLE_MAIN});
  const std::string before = Picture();
  const absl::Status refused = Create(kAlice, "vm1").status();
  EXPECT_EQ(ReasonIn(refused), "SUBNET_CONFLICT");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("172.16.0.0/12 by link eth0"));
  EXPECT_EQ(Picture(), before);
  EXPECT_THAT(Conditions(), ElementsAre("SUBNET_CONFLICT"));
  EXPECT_EQ(ReasonIn(Start()), "SUBNET_CONFLICT");
}

TEST_F(NetworkRegistryTest, AConflictThatCameLaterDoesNotStopANetworkThatStands) {
  const Lease lease = MustCreate(kAlice, "vm1");
  kernel_.AddRoute({.destination = Prefix("172.16.0.0/12"),
                    .ifindex = kernel_.Find("eth0")->ifindex,
                    .table = RT_TABLE_MAIN});
  EXPECT_THAT(Conditions(), ElementsAre("SUBNET_CONFLICT"));
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(List(kAlice), ElementsAre(lease));
  MustCreate(kAlice, "vm2");
  // Nor does it keep guests from a bridge that somebody deletes, whether svnetd sees that or not.
  for (const bool restart : {false, true}) {
    kernel_.Delete("svbr0");
    if (restart) {
      ASSERT_TRUE(Start().ok());
    }
    EXPECT_THAT(Conditions(), ElementsAre("SUBNET_CONFLICT"));
    EXPECT_NE(kernel_.Find("svbr0"), nullptr);
    MustCreate(kAlice, restart ? "vm4" : "vm3");
  }
}

TEST_F(NetworkRegistryTest, ALinkOfTheBridgesNameThatIsNoBridge) {
  kernel_.AddLink({.name = "svbr0"});
  const std::string before = Picture();
  EXPECT_EQ(ReasonIn(Create(kAlice, "vm1").status()), "NOT_A_BRIDGE");
  EXPECT_EQ(Picture(), before);
  EXPECT_THAT(Conditions(), ElementsAre("NOT_A_BRIDGE"));
}

TEST_F(NetworkRegistryTest, TheMtuIsTheUplinksWhenTheNetworkIsMadeAndKeptThen) {
  kernel_.Find("eth0")->mtu = 1420;
  EXPECT_EQ(MustCreate(kAlice, "vm1").state.mtu, 1420u);
  kernel_.Find("eth0")->mtu = 9000;
  EXPECT_EQ(MustCreate(kAlice, "vm2").state.mtu, 1420u);
  ASSERT_TRUE(CleanUp(kAlice, {.scope = CleanupScope::kCaller}).ok());
  EXPECT_EQ(MustCreate(kAlice, "vm3").state.mtu, 9000u);
}

TEST_F(NetworkRegistryTest, PagesAreInOrderAndComplete) {
  for (int i = 0; i < 7; ++i) MustCreate(kAlice, absl::StrCat("vm", i));
  MustCreate(kBob, "vm7");
  std::vector<LinkName> seen;
  std::optional<LinkName> after;
  for (int page = 0; page < 10; ++page) {
    const LeasePage taps = *api().ListTaps(kAlice, {.limit = 3, .after = after});
    for (const Lease& lease : taps.leases) seen.push_back(lease.spec.tap);
    if (!taps.more) break;
    after = taps.leases.back().spec.tap;
  }
  EXPECT_EQ(seen.size(), 7u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  // A page that is just full is the last one.
  EXPECT_FALSE(api().ListTaps(kAlice, {.limit = 7})->more);
}

TEST_F(NetworkRegistryTest, ForeignLinksAreNeverTouched) {
  Link foreign = {.name = "svvm1eth0", .kind = LinkKind::kTap, .owner = 1000, .persistent = true};
  kernel_.AddLink(foreign);
  foreign.name = "tap9";
  foreign.alias =
      "svnet1 bridge=svbr9 vm=vm1 iface=eth0 ip=172.30.0.2 mac=02:29:a3:2f:41:c8 queues=1 "
      "lifetime=persistent";
  kernel_.AddLink(foreign);
  const std::string before = Picture();
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(List(kRoot), IsEmpty());
  EXPECT_FALSE(MustRemove(kRoot, LeaseSelector(Name("tap9"))));
  MustCreate(kAlice, "vm1");
  EXPECT_EQ(CleanUp(kRoot, {.scope = CleanupScope::kNetwork})->taps_removed, 1u);
  EXPECT_EQ(Picture(), before);
}

// The port is closed until its elements stand, and at once when they go.
TEST_F(NetworkRegistryTest, AGuestIsBoundBeforeItsPortOpensAndCutOffBeforeItGoes) {
  MustCreate(kAlice, "vm1");
  faults_.TakeCalls();
  MustCreate(kAlice, "vm2");
  std::vector<std::string> calls = faults_.TakeCalls();
  EXPECT_THAT(calls, IsSupersetOf({"Bind", "SetNeighbour", "Join", "Persist"}));
  const auto at = [&](const std::string& call) {
    return std::find(calls.begin(), calls.end(), call) - calls.begin();
  };
  EXPECT_LT(at("Bind"), at("Join"));
  EXPECT_LT(at("SetNeighbour"), at("Join"));
  MustRemove(kAlice, ByIds("vm2"));
  calls = faults_.TakeCalls();
  EXPECT_LT(at("Unbind"), at("RetireTap"));
  EXPECT_EQ(firewall_.bindings().size(), 1u);
}

TEST_F(NetworkRegistryTest, UnbindsATapThatWasDeleted) {
  MustCreate(kAlice, "vm1");
  const std::string before = Picture();
  MustCreate(kAlice, "vm2");
  kernel_.Delete("svvm2eth0");
  EXPECT_EQ(List(kAlice).size(), 1u);
  EXPECT_EQ(Picture(), before);
}

TEST_F(NetworkRegistryTest, RulesThatWereFlushedComeBackWithEveryBinding) {
  MustCreate(kAlice, "vm1");
  MustCreate(kBob, "vm2");
  const std::string before = Picture();
  firewall_.Flush();
  MustCreate(kAlice, "vm3");
  MustRemove(kAlice, ByIds("vm3"));
  EXPECT_EQ(Picture(), before);
}

TEST_F(NetworkRegistryTest, TheEndLeavesTheSameRulesToNoProgram) {
  MustCreate(kAlice, "vm1");
  const std::string before = firewall_.Dump();
  ASSERT_TRUE(registry().DisownRules().ok());
  EXPECT_THAT(firewall_.Dump(), HasSubstr("of no program"));
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(firewall_.Dump(), before);
}

TEST_F(NetworkRegistryTest, TheEndAppliesNoRulesThatWereFlushed) {
  ASSERT_TRUE(registry().DisownRules().ok());
  EXPECT_EQ(firewall_.Dump(), "no rules\n");
  MustCreate(kAlice, "vm1");
  firewall_.Flush();
  ASSERT_TRUE(registry().DisownRules().ok());
  EXPECT_EQ(firewall_.Dump(), "no rules\n");
}

TEST_F(NetworkRegistryTest, ARestartDeletesNeighboursOfLeasesThatAreGone) {
  MustCreate(kAlice, "vm1");
  const Lease gone = MustCreate(kAlice, "vm2");
  kernel_.Delete("svvm2eth0");
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(*kernel_.ListNeighbours(kernel_.Find("svbr0")->ifindex),
              ElementsAre(Field(&Neighbour::address, Ip("172.30.0.2"))));
  EXPECT_EQ(firewall_.bindings().size(), 1u);
}

TEST_F(NetworkRegistryTest, ABridgeThatWasDownKnowsItsNeighboursAgain) {
  MustCreate(kAlice, "vm1");
  const std::string before = Picture();
  Link* bridge = kernel_.Find("svbr0");
  bridge->up = false;
  ASSERT_TRUE(kernel_.DeleteNeighbour(bridge->ifindex, Ip("172.30.0.2")).ok());
  MustCreate(kAlice, "vm2");
  MustRemove(kAlice, ByIds("vm2"));
  EXPECT_EQ(Picture(), before);
}

TEST_F(NetworkRegistryTest, ReportsPortsThatAreNotPinned) {
  kernel_.ForgetPinning();
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(Conditions(), ElementsAre("PORTS_NOT_PINNED"));
}

TEST_F(NetworkRegistryTest, ZonesAreWhatTheIsolationSays) {
  const auto zones = [&](Isolation isolation) {
    settings_.isolation = isolation;
    EXPECT_TRUE(Start().ok());
    std::vector<uint32_t> found;
    for (const auto& [ifindex, binding] : firewall_.bindings()) found.push_back(binding.zone);
    return found;
  };
  MustCreate(kAlice, "vm1");
  MustCreate(kAlice, "vm2");
  MustCreate(kBob, "vm1");
  EXPECT_THAT(zones(Isolation::kOwner), ElementsAre(1000u, 1000u, 1001u));
  EXPECT_THAT(zones(Isolation::kNone), ElementsAre(0u, 0u, 0u));
  const std::vector<uint32_t> all = zones(Isolation::kAll);
  EXPECT_EQ(std::set<uint32_t>(all.begin(), all.end()).size(), 3u);
}

class QuotaTest : public NetworkRegistryTest {
 protected:
  Caller modest_ = {.uid = 1000, .gid = 1000, .tap_limit = 2};
};

TEST_F(QuotaTest, LimitsEachOwnerAlone) {
  MustCreate(modest_, "vm1");
  MustCreate(modest_, "vm2");
  const std::string before = Picture();
  const absl::Status refused = Create(modest_, "vm3").status();
  EXPECT_EQ(ReasonIn(refused), "QUOTA_EXCEEDED");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("taps_per_user"));
  EXPECT_EQ(Picture(), before);
  MustCreate(kBob, "vm3");
  // What stands is no new one.
  MustCreate(modest_, "vm2");
  MustRemove(modest_, ByIds("vm2"));
  MustCreate(modest_, "vm3");
}

TEST_F(QuotaTest, CountsWhatWasAdoptedAndWhatAnAdministratorMade) {
  ASSERT_TRUE(
      api().CreateTap(kRoot, {.vm = Vm("vm1"), .iface = Iface("eth0"), .owner = modest_.uid}).ok());
  MustCreate(modest_, "vm2");
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(ReasonIn(Create(modest_, "vm3").status()), "QUOTA_EXCEEDED");
  // Nor does one that somebody deleted count for ever.
  kernel_.Delete("svvm2eth0");
  MustCreate(modest_, "vm3");
}

TEST_F(QuotaTest, DoesNotLimitAdministrators) {
  for (int i = 0; i < 100; ++i) MustCreate(kRoot, absl::StrCat("vm", i));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(api()
                    .CreateTap(kRoot, {.vm = Vm(absl::StrCat("vm", i)),
                                       .iface = Iface("eth0"),
                                       .owner = modest_.uid})
                    .ok());
  }
}

// Fault 4: no step's failure passes for success. Each call below NetworkRegistry fails
// once, one after the other.
class FailureTest : public NetworkRegistryTest, public ::testing::WithParamInterface<int> {};
// More than CreateTap makes calls; MakesFewerCallsThanAreTried checks that.
constexpr int kCalls = 40;
INSTANTIATE_TEST_SUITE_P(Call, FailureTest, ::testing::Range(0, kCalls));

TEST_F(FailureTest, MakesFewerCallsThanAreTried) {
  registry();
  faults_.TakeCalls();
  MustCreate(kAlice, "vm1");
  EXPECT_LT(faults_.TakeCalls().size(), static_cast<size_t>(kCalls));
}

TEST_P(FailureTest, TheFirstCreateLeavesNothing) {
  registry();
  const std::string before = Picture();
  faults_.FailAfter(GetParam());
  const absl::StatusOr<Lease> lease = Create(kAlice, "vm1");
  faults_.Heal();
  if (lease.ok()) {
    EXPECT_EQ(List(kAlice).size(), 1u);
    return;
  }
  EXPECT_THAT(std::string(lease.status().message()), HasSubstr("injected: "));
  EXPECT_THAT(ReasonIn(lease.status()), Not("none"));
  EXPECT_EQ(Picture(), before);
  EXPECT_THAT(List(kAlice), IsEmpty());
  // Nor is the address lost.
  EXPECT_EQ(MustCreate(kAlice, "vm1").spec.ip, Ip("172.30.0.2"));
}

TEST_P(FailureTest, ALaterCreateLeavesTheOthersAsTheyAre) {
  const Lease first = MustCreate(kAlice, "vm1");
  const std::string before = Picture();
  faults_.FailAfter(GetParam());
  const absl::StatusOr<Lease> lease = Create(kAlice, "vm2");
  faults_.Heal();
  if (lease.ok()) return;
  EXPECT_EQ(Picture(), before);
  EXPECT_THAT(List(kAlice), ElementsAre(first));
  EXPECT_EQ(MustCreate(kAlice, "vm2").spec.ip, Ip("172.30.0.3"));
}

TEST_P(FailureTest, ARemovalIsWholeOrNone) {
  const Lease lease = MustCreate(kAlice, "vm1");
  faults_.FailAfter(GetParam());
  const auto removed = api().RemoveTap(kAlice, ByIds("vm1"));
  faults_.Heal();
  EXPECT_EQ(List(kAlice).size(), removed.ok() ? 0u : 1u);
  MustRemove(kAlice, ByIds("vm1"));
  EXPECT_THAT(List(kAlice), IsEmpty());
}

TEST_P(FailureTest, ACleanupThatFailsIsCompletedByTheNext) {
  registry();
  const std::string before = Picture();
  MustCreate(kAlice, "vm1");
  MustCreate(kBob, "vm2");
  faults_.FailAfter(GetParam());
  CleanUp(kRoot, {.scope = CleanupScope::kNetwork}).IgnoreError();
  faults_.Heal();
  ASSERT_TRUE(CleanUp(kRoot, {.scope = CleanupScope::kNetwork}).ok());
  EXPECT_EQ(Picture(), before);
}

TEST_P(FailureTest, AStartThatFailsTouchesNothing) {
  MustCreate(kAlice, "vm1");
  const std::string before = Picture();
  faults_.FailAfter(GetParam());
  Start().IgnoreError();
  faults_.Heal();
  EXPECT_EQ(Picture(), before);
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(List(kAlice).size(), 1u);
}

TEST_F(NetworkRegistryTest, WhenTheUndoFailsTooTheErrorIsThatOfTheStep) {
  faults_.FailNext("Persist", absl::PermissionDeniedError("TUNSETPERSIST: EPERM"));
  faults_.FailNext("ReleaseBridge", absl::InternalError("cannot delete"));
  faults_.FailNext("Remove", absl::InternalError("cannot remove"));
  const absl::Status status = Create(kAlice, "vm1").status();
  EXPECT_EQ(ReasonIn(status), "TAP_CREATE_FAILED");
  EXPECT_THAT(std::string(status.message()), HasSubstr("TUNSETPERSIST: EPERM"));
  EXPECT_EQ(kernel_.Find("svvm1eth0"), nullptr);
  // What was left is what the next one takes.
  EXPECT_EQ(MustCreate(kAlice, "vm1").spec.ip, Ip("172.30.0.2"));
}

// What calls cost that everybody may make as often as they like.
class CheapCallsTest : public NetworkRegistryTest {
 protected:
  CheapCallsTest() { MustCreate(kAlice, "vm1"); }

  // What one call asks of the kernel.
  template <typename Call>
  std::vector<std::string> AskedBy(const Call& call) {
    faults_.TakeCalls();
    call();
    return faults_.TakeCalls();
  }
};

TEST_F(CheapCallsTest, GetNetworkIsAnsweredFromMemoryWhenAskedTooOften) {
  const auto burst = static_cast<int>(NetworkObserver::kLooks.burst);
  const auto ask = [&] { ASSERT_TRUE(api().GetNetwork(kRoot, {}).ok()); };
  for (int i = 0; i < burst; ++i) EXPECT_THAT(AskedBy(ask), Contains("ListLinks"));
  EXPECT_THAT(AskedBy(ask), Not(Contains("ListLinks")));
  // What svnetd itself has done it knows.
  MustCreate(kAlice, "vm2");
  EXPECT_EQ(api().GetNetwork(kRoot, {})->addresses_used, 2u);
  kernel_.Find("svbr0")->mtu = 1300;
  now_ += absl::Milliseconds(250);
  EXPECT_THAT(AskedBy(ask), Contains("ListLinks"));
  EXPECT_THAT(AskedBy(ask), Not(Contains("ListLinks")));
}

TEST_F(CheapCallsTest, CleanupListAndARepeatedCreateReadNotAllLinks) {
  const auto cheap = Not(Contains("ListLinks"));
  EXPECT_THAT(AskedBy([&] { CleanUp(kBob, {.scope = CleanupScope::kCaller}).value(); }), cheap);
  EXPECT_THAT(AskedBy([&] { api().ListTaps(kAlice, {.limit = 10}).value(); }), cheap);
  EXPECT_THAT(AskedBy([&] { MustCreate(kAlice, "vm1"); }), cheap);
  EXPECT_THAT(AskedBy([&] { MustRemove(kAlice, ByIds("vm9")); }), cheap);
  EXPECT_THAT(AskedBy([&] {
                EXPECT_EQ(CleanUp(kAlice, {.scope = CleanupScope::kCaller})->taps_removed, 1u);
              }),
              cheap);
}

}  // namespace
}  // namespace svnet
