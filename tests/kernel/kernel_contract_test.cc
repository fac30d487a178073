// What kernel.h promises, of the implementation and of the fake that unit tests use instead.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/kernel/netlink_kernel.h"
#include "daemon/kernel/netlink_reaper.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/kernel/kernel_test.h"
#include "tests/sandbox/sandbox.h"

namespace svnet {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

LinkName Name(absl::string_view name) { return LinkName::Parse(name).value(); }

// A kernel and a reaper, and what other programs do beside them.
class Host {
 public:
  virtual ~Host() = default;
  virtual Kernel& kernel() = 0;
  virtual Reaper& reaper() = 0;
  virtual void AddBridge(const std::string& name) = 0;
  virtual void AddVeth(const std::string& name) = 0;
  virtual void Delete(const std::string& link) = 0;
  virtual void SetDown(const std::string& link) = 0;
  virtual void TakeAddresses(const std::string& link) = 0;
  virtual void ForgetNeighbour(const std::string& link, Ipv4Address address) = 0;
  virtual void TurnForwardingOff() = 0;
  // As a VMM does; it holds the TAP until it lets go, and the latter only if it holds it.
  virtual void Attach(const std::string& tap, bool multi_queue) = 0;
  virtual void Detach(const std::string& tap) = 0;
  virtual void ForgetGuestRoute(Ipv4Address guest) = 0;
  virtual void RouteGuest(Ipv4Address guest, const std::string& link) = 0;
  // Takes the settings of a routed TAP away from it.
  virtual void SpoilRouting(const std::string& tap) = 0;
  // As a holder can without any privilege.
  virtual void SetOwnMac(const std::string& tap, const MacAddress& mac) = 0;
};

class FakeHost final : public Host {
 public:
  Kernel& kernel() override { return kernel_; }
  Reaper& reaper() override { return reaper_; }
  void AddBridge(const std::string& name) override {
    kernel_.AddLink({.name = name,
                     .kind = LinkKind::kBridge,
                     .mac = MacAddress({2, 7, 7, 7, 7, 7}),
                     .mtu = 1500});
  }
  void AddVeth(const std::string& name) override { kernel_.AddLink({.name = name, .mtu = 1500}); }
  void Delete(const std::string& link) override { kernel_.Delete(link); }
  void SetDown(const std::string& link) override { kernel_.SetDown(link); }
  void TakeAddresses(const std::string& link) override { kernel_.TakeAddresses(link); }
  void ForgetNeighbour(const std::string&, Ipv4Address address) override {
    kernel_.ForgetNeighbour(address);
  }
  void TurnForwardingOff() override { kernel_.TurnForwardingOff(); }
  void Attach(const std::string& tap, bool) override { kernel_.Attach(tap); }
  void Detach(const std::string& tap) override { kernel_.Detach(tap); }
  void ForgetGuestRoute(Ipv4Address guest) override { kernel_.ForgetGuestRoute(guest); }
  void RouteGuest(Ipv4Address guest, const std::string& link) override {
    kernel_.RouteGuest(guest, link);
  }
  void SpoilRouting(const std::string& tap) override { kernel_.SpoilRouting(tap); }
  void SetOwnMac(const std::string& tap, const MacAddress& mac) override {
    kernel_.SetOwnMac(tap, mac);
  }

 private:
  testing::Faults faults_;
  testing::FakeKernel kernel_{&faults_};
  testing::FakeReaper reaper_{&kernel_, &faults_};
};

class LinuxHost final : public Host {
 public:
  LinuxHost() {
    testing::EnterFreshNetworkNamespace();
    kernel_ = NetlinkKernel::Open({Ipv4Prefix::Parse("10.9.0.0/24").value()}).value();
    reaper_ = NetlinkReaper::Open().value();
  }

  Kernel& kernel() override { return *kernel_; }
  Reaper& reaper() override { return *reaper_; }
  void AddBridge(const std::string& name) override {
    testing::Shell(absl::StrCat("ip link add ", name, " address 02:07:07:07:07:07 type bridge"));
  }
  void AddVeth(const std::string& name) override {
    testing::Shell(absl::StrCat("ip link add ", name, " type veth peer name peer"));
  }
  void Delete(const std::string& link) override {
    testing::Shell(absl::StrCat("ip link delete ", link));
  }
  void SetDown(const std::string& link) override {
    testing::Shell(absl::StrCat("ip link set ", link, " down"));
  }
  void TakeAddresses(const std::string& link) override {
    testing::Shell(absl::StrCat("ip address flush dev ", link));
  }
  void ForgetNeighbour(const std::string& link, Ipv4Address address) override {
    testing::Shell(absl::StrCat("ip neighbour delete ", address.ToString(), " dev ", link));
  }
  void TurnForwardingOff() override { testing::Shell("echo 0 > /proc/sys/net/ipv4/ip_forward"); }
  void Attach(const std::string& tap, bool multi_queue) override {
    UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request = {};
    request.ifr_flags =
        static_cast<short>(IFF_TAP | IFF_NO_PI | (multi_queue ? IFF_MULTI_QUEUE : 0));
    std::strncpy(request.ifr_name, tap.c_str(), IFNAMSIZ - 1);
    ASSERT_EQ(ioctl(fd.get(), TUNSETIFF, &request), 0) << tap << ": " << std::strerror(errno);
    held_.emplace(tap, std::move(fd));
  }
  void Detach(const std::string& tap) override {
    ASSERT_TRUE(held_.contains(tap));
    held_.erase(held_.find(tap));
  }
  void RouteGuest(Ipv4Address guest, const std::string& link) override {
    testing::Shell(absl::StrCat("ip route add ", guest.ToString(), " dev ", link));
  }
  void ForgetGuestRoute(Ipv4Address guest) override {
    testing::Shell(absl::StrCat("ip route delete ", guest.ToString()));
  }
  void SpoilRouting(const std::string& tap) override {
    testing::Shell(absl::StrCat("echo 0 > /proc/sys/net/ipv4/conf/", tap, "/proxy_arp"));
  }
  void SetOwnMac(const std::string& tap, const MacAddress& mac) override {
    testing::Shell(absl::StrCat("ip link set ", tap, " address ", mac.ToString()));
  }

 private:
  std::unique_ptr<NetlinkKernel> kernel_;
  std::unique_ptr<NetlinkReaper> reaper_;
  std::multimap<std::string, UniqueFd> held_;
};

struct Implementation {
  std::string name;
  std::function<std::unique_ptr<Host>()> make;
};

const Implementation kImplementations[] = {
    {"Fake", [] { return std::make_unique<FakeHost>(); }},
    {"Linux", [] { return std::make_unique<LinuxHost>(); }},
};

class KernelContractTest : public ::testing::TestWithParam<Implementation> {
 protected:
  static constexpr MacAddress kGuest{{2, 0, 0, 0, 0, 9}};
  static constexpr MacAddress kBridgeMac{{0xc2, 1, 2, 3, 4, 5}};
  static constexpr Ipv4Address kGuestAddress{0x0a090009};

  Host& host() { return *host_; }
  Kernel& kernel() { return host_->kernel(); }
  Reaper& reaper() { return host_->reaper(); }

  static BridgeSpec Spec() {
    return {.name = Name("svbr0"),
            .mac = kBridgeMac,
            .mtu = 1400,
            .gateway = Ipv4Address(0x0a090001),
            .prefix = Ipv4Prefix::Parse("10.9.0.0/24").value()};
  }
  static TapSpec Tap(const std::string& name, bool multi_queue = false) {
    return {.name = Name(name), .owner = 1000, .group_gid = 77, .multi_queue = multi_queue};
  }
  static PortSpec Port(Ifindex bridge, const MacAddress& guest = kGuest) {
    return {.bridge = bridge,
            .alias = "some alias",
            .group = 7,
            .mtu = 1400,
            .mac = testing::kOwnMac,
            .guest = guest,
            .isolated = false};
  }

  static RoutedTapSpec Routed() {
    return {.alias = "some alias",
            .group = 7,
            .mtu = 1400,
            .mac = testing::kOwnMac,
            .address = kGuestAddress,
            .guest = {.address = kGuestAddress, .mac = kGuest},
            .gateway = Spec().gateway};
  }

  Bridge MakeBridge() { return kernel().EnsureBridge(Spec()).value(); }
  Ifindex MakeTap(const std::string& name, Ifindex bridge, bool multi_queue = false,
                  const MacAddress& guest = kGuest) {
    const std::unique_ptr<OpenTap> tap = kernel().OpenNewTap(Tap(name, multi_queue)).value();
    EXPECT_TRUE(tap->Join(Port(bridge, guest)).value());
    EXPECT_TRUE(tap->Persist().ok());
    return tap->ifindex();
  }
  Ifindex MakeRoutedTap(const std::string& name, bool multi_queue = false) {
    const std::unique_ptr<OpenTap> tap = kernel().OpenNewTap(Tap(name, multi_queue)).value();
    EXPECT_TRUE(tap->SwitchIpv6Off().ok());
    const absl::Status routed = tap->Route(Routed());
    EXPECT_TRUE(routed.ok()) << routed;
    EXPECT_TRUE(tap->Persist().ok());
    return tap->ifindex();
  }
  std::optional<Link> Find(const std::string& name) {
    return kernel().FindLink(Name(name)).value();
  }
  std::vector<std::string> NamesOfTaps() {
    std::vector<std::string> names;
    const std::vector<Link> links = kernel().ListLinks().value();
    for (const Link& link : links) {
      if (link.kind == LinkKind::kTap) names.push_back(link.name);
    }
    return names;
  }
  std::vector<Ipv4Address> AddressesOf(Ifindex link) {
    std::vector<Ipv4Address> addresses;
    const std::vector<LinkAddress> all = kernel().ListAddresses().value();
    for (const LinkAddress& each : all) {
      if (each.ifindex == link) addresses.push_back(each.address);
    }
    return addresses;
  }
  KernelChanges Changes() { return kernel().TakeChanges().value(); }

 private:
  const std::unique_ptr<Host> host_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Each, KernelContractTest, ::testing::ValuesIn(kImplementations),
                         [](const auto& each) { return each.param.name; });

TEST_P(KernelContractTest, EnsureBridgeMakesOneAndThenFindsIt) {
  const Bridge made = MakeBridge();
  EXPECT_TRUE(made.made);
  EXPECT_TRUE(made.ours);
  EXPECT_EQ(made.mac, kBridgeMac);
  EXPECT_EQ(made.mtu, 1400u);
  EXPECT_THAT(made.addresses, ElementsAre(Spec().gateway));
  EXPECT_THAT(AddressesOf(made.ifindex), ElementsAre(Spec().gateway));
  const Bridge found = MakeBridge();
  EXPECT_FALSE(found.made);
  EXPECT_FALSE(found.brought_up);
  EXPECT_FALSE(found.given_address);
  EXPECT_FALSE(found.given_mtu);
  EXPECT_FALSE(found.given_mac);
  EXPECT_FALSE(found.changed());
  EXPECT_EQ(found.ifindex, made.ifindex);
}

TEST_P(KernelContractTest, EnsureBridgeSaysWhatItGave) {
  MakeBridge();
  host().SetDown("svbr0");
  host().TakeAddresses("svbr0");
  BridgeSpec other_mtu = Spec();
  other_mtu.mtu = 1300;
  const Bridge repaired = kernel().EnsureBridge(other_mtu).value();
  EXPECT_FALSE(repaired.made);
  EXPECT_TRUE(repaired.brought_up);
  EXPECT_TRUE(repaired.given_address);
  EXPECT_TRUE(repaired.given_mtu);
  EXPECT_TRUE(Find("svbr0")->up);
  EXPECT_EQ(Find("svbr0")->mtu, 1300u);
}

// Also after svnetd has started anew, and also if somebody has given it another alias.
TEST_P(KernelContractTest, EnsureBridgeKnowsItsOwnThoughAnotherMacWasGivenToIt) {
  const Ifindex made = MakeBridge().ifindex;
  EXPECT_EQ(Find("svbr0")->alias, kBridgeAlias);
  host().SetOwnMac("svbr0", kGuest);
  const Bridge repaired = MakeBridge();
  EXPECT_EQ(repaired.ifindex, made);
  EXPECT_TRUE(repaired.ours);
  EXPECT_TRUE(repaired.given_mac);
  EXPECT_FALSE(repaired.changed());
  EXPECT_EQ(repaired.mac, kBridgeMac);
  EXPECT_EQ(Find("svbr0")->mac, kBridgeMac);
  ASSERT_TRUE(kernel().SetAlias(made, "the operator's").ok());
  EXPECT_TRUE(MakeBridge().ours);
  EXPECT_EQ(Find("svbr0")->alias, "the operator's");
  ASSERT_TRUE(kernel().SetAlias(made, std::string(kBridgeAlias)).ok());
  host().SetOwnMac("svbr0", kGuest);
  EXPECT_TRUE(kernel().ReleaseBridge(Spec()).value());
  EXPECT_EQ(Find("svbr0"), std::nullopt);
}

TEST_P(KernelContractTest, ReleaseBridgeDeletesOursAndOnlyOurs) {
  EXPECT_FALSE(kernel().ReleaseBridge(Spec()).value());  // there is none
  MakeBridge();
  EXPECT_TRUE(kernel().ReleaseBridge(Spec()).value());
  EXPECT_EQ(Find("svbr0"), std::nullopt);

  host().AddBridge("svbr0");
  const Bridge theirs = MakeBridge();
  EXPECT_FALSE(theirs.ours);
  EXPECT_FALSE(theirs.given_mtu);
  EXPECT_TRUE(theirs.given_address);
  EXPECT_TRUE(theirs.changed());
  EXPECT_EQ(Find("svbr0")->mtu, 1500u);
  EXPECT_FALSE(kernel().ReleaseBridge(Spec()).value());
  EXPECT_FALSE(Find("svbr0")->up);
  EXPECT_THAT(AddressesOf(theirs.ifindex), IsEmpty());
}

TEST_P(KernelContractTest, EnsureBridgeRefusesALinkThatIsNone) {
  host().AddVeth("svbr0");
  EXPECT_EQ(ReasonOf(kernel().EnsureBridge(Spec()).status()), Reason::kNotABridge);
  EXPECT_FALSE(kernel().ReleaseBridge(Spec()).value());
  EXPECT_TRUE(Find("svbr0").has_value());
}

TEST_P(KernelContractTest, ANewTapGoesWithItsObjectUnlessItPersists) {
  const Bridge bridge = MakeBridge();
  {
    const std::unique_ptr<OpenTap> tap = kernel().OpenNewTap(Tap("tap1")).value();
    EXPECT_FALSE(tap->IsSharedWithOthers());
    EXPECT_TRUE(tap->Join(Port(bridge.ifindex)).value());
    EXPECT_EQ(Find("tap1")->ifindex, tap->ifindex());
  }
  EXPECT_EQ(Find("tap1"), std::nullopt);
  const Ifindex tap = MakeTap("tap1", bridge.ifindex);
  const std::optional<Link> link = Find("tap1");
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->ifindex, tap);
  EXPECT_EQ(link->kind, LinkKind::kTap);
  EXPECT_EQ(link->alias, "some alias");
  EXPECT_EQ(link->master, bridge.ifindex);
  EXPECT_EQ(link->mac, testing::kOwnMac);
  EXPECT_EQ(link->mtu, 1400u);
  EXPECT_EQ(link->group, 7u);
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->owner, 1000u);
  EXPECT_EQ(link->group_gid, 77u);
  EXPECT_TRUE(link->persistent);
  EXPECT_TRUE(link->pinned);
  EXPECT_TRUE(link->ethernet);
  EXPECT_EQ(link->open_queues, std::nullopt);
  EXPECT_EQ(kernel().FindLink(tap).value(), link);
  EXPECT_THAT(*kernel().ListStaticMacs(bridge.ifindex), ElementsAre(Pair(tap, kGuest)));
}

TEST_P(KernelContractTest, ANameThatIsTakenIsAlreadyExists) {
  const Bridge bridge = MakeBridge();
  MakeTap("tap1", bridge.ifindex);
  EXPECT_TRUE(absl::IsAlreadyExists(kernel().OpenNewTap(Tap("tap1")).status()));
  EXPECT_TRUE(absl::IsAlreadyExists(kernel().OpenNewTap(Tap("svbr0", true)).status()));
  const Ifindex other = MakeTap("tap2", bridge.ifindex, false, MacAddress({2, 0, 0, 0, 0, 10}));
  EXPECT_TRUE(absl::IsAlreadyExists(kernel().RenameLink(other, Name("tap1"))));
  EXPECT_TRUE(kernel().RenameLink(other, Name("tap3")).ok());
  EXPECT_THAT(NamesOfTaps(), UnorderedElementsAre("tap1", "tap3"));
}

TEST_P(KernelContractTest, WhatIsDoneToATapThatIsGoneIsNotFound) {
  const Bridge bridge = MakeBridge();
  const Ifindex tap = MakeTap("tap1", bridge.ifindex);
  EXPECT_TRUE(absl::IsNotFound(kernel().HoldTap(Name("tap1"), tap + 100).status()));
  const Link link = *Find("tap1");
  host().Delete("tap1");
  EXPECT_TRUE(absl::IsNotFound(kernel().RenameLink(tap, Name("tap2"))));
  EXPECT_TRUE(absl::IsNotFound(kernel().RetireTap(tap, 9)));
  EXPECT_TRUE(absl::IsNotFound(kernel().SetAlias(tap, "other")));
  EXPECT_TRUE(
      absl::IsNotFound(kernel().RepairTap(link, Name("tap1"), Port(bridge.ifindex)).status()));
  EXPECT_TRUE(absl::IsNotFound(kernel().HoldTap(Name("tap1"), tap).status()));
  EXPECT_EQ(kernel().FindLink(tap).value(), std::nullopt);
  EXPECT_EQ(Find("tap1"), std::nullopt);
  EXPECT_THAT(*kernel().ListStaticMacs(bridge.ifindex), IsEmpty());
  EXPECT_TRUE(reaper().DeleteLink(tap).ok());
}

TEST_P(KernelContractTest, ABridgeThatIsGoneHasNoStaticMacs) {
  const Bridge bridge = MakeBridge();
  MakeTap("tap1", bridge.ifindex);
  host().Delete("svbr0");
  EXPECT_THAT(*kernel().ListStaticMacs(bridge.ifindex), IsEmpty());
}

TEST_P(KernelContractTest, ATapIsRetiredAndItsAliasReplaced) {
  const Ifindex tap = MakeTap("tap1", MakeBridge().ifindex);
  ASSERT_TRUE(kernel().SetAlias(tap, "other").ok());
  ASSERT_TRUE(kernel().RetireTap(tap, 9).ok());
  EXPECT_EQ(Find("tap1")->alias, "other");
  EXPECT_EQ(Find("tap1")->group, 9u);
}

TEST_P(KernelContractTest, RepairTapMakesItAsItWasWhenItJoined) {
  const Bridge bridge = MakeBridge();
  const Ifindex tap = MakeTap("tap1", bridge.ifindex);
  const std::optional<Link> before = Find("tap1");
  ASSERT_TRUE(kernel().SetAlias(tap, "other").ok());
  ASSERT_TRUE(kernel().RetireTap(tap, 9).ok());
  ASSERT_TRUE(kernel().RenameLink(tap, Name("tap2")).ok());
  host().SetOwnMac("tap2", kGuest);  // takes its own guest's place on the bridge
  EXPECT_THAT(*kernel().ListStaticMacs(bridge.ifindex), IsEmpty());
  host().SetDown("tap2");
  EXPECT_TRUE(kernel().RepairTap(*Find("tap2"), Name("tap1"), Port(bridge.ifindex)).value());
  EXPECT_EQ(Find("tap1"), before);
  EXPECT_THAT(*kernel().ListStaticMacs(bridge.ifindex), ElementsAre(Pair(tap, kGuest)));
}

TEST_P(KernelContractTest, NeighboursAreWhatWasSetLast) {
  const Ifindex bridge = MakeBridge().ifindex;
  const Ipv4Address address(0x0a090009);
  const Neighbour first = {.address = address, .mac = kGuest};
  const Neighbour second = {.address = address, .mac = MacAddress({2, 0, 0, 0, 0, 10})};
  ASSERT_TRUE(kernel().SetNeighbour(bridge, first).ok());
  ASSERT_TRUE(kernel().SetNeighbour(bridge, second).ok());
  EXPECT_THAT(*kernel().ListNeighbours(bridge), ElementsAre(second));
  EXPECT_TRUE(kernel().DeleteNeighbour(bridge, address).ok());
  EXPECT_TRUE(kernel().DeleteNeighbour(bridge, address).ok());
  EXPECT_THAT(*kernel().ListNeighbours(bridge), IsEmpty());
  EXPECT_TRUE(kernel().DeleteNeighbour(bridge + 100, address).ok());
  EXPECT_FALSE(kernel().SetNeighbour(bridge + 100, first).ok());
}

TEST_P(KernelContractTest, ARoutedTapHasARouteAndANeighbourAndNoBridge) {
  MakeBridge();
  const GuestRoute route = {.tap = MakeRoutedTap("tap1"), .guest = kGuestAddress};
  const Link link = *Find("tap1");
  EXPECT_EQ(link.ifindex, route.tap);
  EXPECT_EQ(link.alias, "some alias");
  EXPECT_EQ(link.master, 0);
  EXPECT_EQ(link.mac, testing::kOwnMac);
  EXPECT_EQ(link.mtu, 1400u);
  EXPECT_EQ(link.group, 7u);
  EXPECT_TRUE(link.up);
  EXPECT_TRUE(link.routed);
  EXPECT_TRUE(link.persistent);
  EXPECT_THAT(*kernel().ListGuestRoutes(), ElementsAre(route));
  EXPECT_THAT(*kernel().ListAllNeighbours(), ElementsAre(Pair(route.tap, Routed().guest)));
  EXPECT_THAT(*kernel().ListNeighbours(route.tap), ElementsAre(Routed().guest));
  EXPECT_EQ(*kernel().FindNeighbour(route.tap, kGuestAddress), kGuest);
  EXPECT_EQ(*kernel().FindNeighbour(route.tap, Spec().gateway), std::nullopt);
  EXPECT_EQ(*kernel().FindNeighbour(route.tap + 100, kGuestAddress), std::nullopt);
  // It is svnetd's own, and in nobody's way.
  EXPECT_THAT(*kernel().ListRoutes(), Not(Contains(::testing::Field(&Route::ifindex, route.tap))));
  EXPECT_EQ(kernel().FindRoute({.destination = kGuestAddress})->out, route.tap);
}

TEST_P(KernelContractTest, ARoutedTapGoesWithItsObjectUnlessItPersists) {
  MakeBridge();
  {
    const std::unique_ptr<OpenTap> tap = kernel().OpenNewTap(Tap("tap1")).value();
    EXPECT_TRUE(tap->Route(Routed()).ok());
  }
  EXPECT_EQ(Find("tap1"), std::nullopt);
  EXPECT_THAT(*kernel().ListGuestRoutes(), IsEmpty());
  EXPECT_THAT(*kernel().ListAllNeighbours(), IsEmpty());
}

TEST_P(KernelContractTest, TheRouteOfAnotherIsNotTakenByANewTap) {
  MakeBridge();
  MakeRoutedTap("tap1");
  const std::unique_ptr<OpenTap> tap = kernel().OpenNewTap(Tap("tap2")).value();
  EXPECT_TRUE(absl::IsAlreadyExists(tap->Route(Routed())));
}

TEST_P(KernelContractTest, TheHostsOwnRouteIsNotTakenByANewTap) {
  MakeBridge();
  host().RouteGuest(kGuestAddress, "svbr0");
  const std::unique_ptr<OpenTap> tap = kernel().OpenNewTap(Tap("tap2")).value();
  EXPECT_TRUE(absl::IsAlreadyExists(tap->Route(Routed())));
}

TEST_P(KernelContractTest, ARouteToAGuestIsDeletedAndSetAgain) {
  MakeBridge();
  const GuestRoute route = {.tap = MakeRoutedTap("tap1", true), .guest = kGuestAddress};
  EXPECT_TRUE(kernel().DeleteGuestRoute(route).ok());
  EXPECT_THAT(*kernel().ListGuestRoutes(), IsEmpty());
  EXPECT_TRUE(kernel().DeleteGuestRoute(route).ok());
  EXPECT_TRUE(kernel().SetGuestRoute(route, Spec().gateway).ok());
  EXPECT_TRUE(kernel().SetGuestRoute(route, Spec().gateway).ok());
  EXPECT_THAT(*kernel().ListGuestRoutes(), ElementsAre(route));
  GuestRoute of_none = route;
  of_none.tap += 100;
  EXPECT_FALSE(kernel().SetGuestRoute(of_none, Spec().gateway).ok());
  EXPECT_TRUE(kernel().DeleteGuestRoute(of_none).ok());
}

TEST_P(KernelContractTest, ARouteToAGuestGoesWithTheGatewaysAddressAndThatIsSaid) {
  MakeBridge();
  const GuestRoute route = {.tap = MakeRoutedTap("tap1"), .guest = kGuestAddress};
  Changes();
  host().Delete("svbr0");
  EXPECT_THAT(*kernel().ListGuestRoutes(), IsEmpty());
  EXPECT_THAT(Changes().guest_routes, ElementsAre(Pair(kGuestAddress, false)));
  EXPECT_TRUE(kernel().EnsureBridge(Spec()).value().given_address);
  EXPECT_THAT(*kernel().ListGuestRoutes(), IsEmpty());
  EXPECT_TRUE(kernel().SetGuestRoute(route, Spec().gateway).ok());
}

TEST_P(KernelContractTest, RepairRoutedTapMakesItAsItWas) {
  const Ifindex bridge = MakeBridge().ifindex;
  const GuestRoute route = {.tap = MakeRoutedTap("tap1"), .guest = kGuestAddress};
  const std::optional<Link> before = Find("tap1");
  ASSERT_TRUE(kernel().SetAlias(route.tap, "other").ok());
  ASSERT_TRUE(kernel().RetireTap(route.tap, 9).ok());
  ASSERT_TRUE(kernel().RenameLink(route.tap, Name("tap2")).ok());
  host().SpoilRouting("tap2");
  EXPECT_FALSE(Find("tap2")->routed);
  host().SetDown("tap2");
  EXPECT_THAT(*kernel().ListGuestRoutes(), IsEmpty());
  EXPECT_THAT(*kernel().ListAllNeighbours(), IsEmpty());
  EXPECT_TRUE(kernel().RepairRoutedTap(*Find("tap2"), Name("tap1"), Routed()).ok());
  EXPECT_EQ(Find("tap1"), before);
  EXPECT_THAT(*kernel().ListGuestRoutes(), ElementsAre(route));
  EXPECT_THAT(*kernel().ListNeighbours(route.tap), ElementsAre(Routed().guest));
  // Also if somebody has made it a port.
  ASSERT_TRUE(kernel().RepairTap(*before, Name("tap1"), Port(bridge)).ok());
  EXPECT_TRUE(kernel().RepairRoutedTap(*Find("tap1"), Name("tap1"), Routed()).ok());
  EXPECT_EQ(Find("tap1")->master, 0);
  const Link link = *Find("tap1");
  host().Delete("tap1");
  EXPECT_TRUE(absl::IsNotFound(kernel().RepairRoutedTap(link, Name("tap1"), Routed())));
}

TEST_P(KernelContractTest, WhatOthersDoToARoutedTapIsSaid) {
  MakeBridge();
  Changes();
  const Ifindex tap = MakeRoutedTap("tap1");
  const KernelChanges made = Changes();
  EXPECT_THAT(made.guest_routes, ElementsAre(Pair(kGuestAddress, true)));
  EXPECT_FALSE(made.routes);
  host().ForgetGuestRoute(kGuestAddress);
  EXPECT_THAT(Changes().guest_routes, ElementsAre(Pair(kGuestAddress, false)));
  ASSERT_TRUE(kernel().RepairRoutedTap(*Find("tap1"), Name("tap1"), Routed()).ok());
  EXPECT_THAT(Changes().guest_routes, ElementsAre(Pair(kGuestAddress, true)));
  host().SpoilRouting("tap1");
  EXPECT_THAT(Changes().settings, Contains(tap));
  ASSERT_TRUE(kernel().RepairRoutedTap(*Find("tap1"), Name("tap1"), Routed()).ok());
  EXPECT_THAT(Changes().settings, IsEmpty());
  host().SetDown("tap1");
  const KernelChanges down = Changes();
  EXPECT_FALSE(down.links.at(tap).up);
  EXPECT_THAT(down.neighbours, Contains(Pair(std::pair(tap, kGuestAddress), std::nullopt)));
}

TEST_P(KernelContractTest, ATapIsHeldByOneAtATime) {
  const Ifindex tap = MakeTap("tap1", MakeBridge().ifindex);
  EXPECT_FALSE(Find("tap1")->carrier);
  const uint32_t ups = Find("tap1")->carrier_ups;
  host().Attach("tap1", false);
  EXPECT_EQ(kernel().HoldTap(Name("tap1"), tap).value(), std::nullopt);
  EXPECT_TRUE(Find("tap1")->carrier);
  EXPECT_EQ(Find("tap1")->carrier_ups, ups + 1);
  host().Detach("tap1");
  EXPECT_FALSE(Find("tap1")->carrier);
  EXPECT_TRUE(kernel().HoldTap(Name("tap1"), tap).value().has_value());
}

TEST_P(KernelContractTest, AQueueIsOpenedOfTheTapThatIsThere) {
  const Ifindex tap = MakeTap("tap1", MakeBridge().ifindex);
  EXPECT_TRUE(absl::IsNotFound(kernel().OpenQueue(Name("tap1"), tap + 100, false).status()));
  EXPECT_TRUE(absl::IsNotFound(kernel().OpenQueue(Name("tap2"), tap, false).status()));
  EXPECT_EQ(Find("tap2"), std::nullopt);
  host().Attach("tap1", false);
  EXPECT_EQ(kernel().OpenQueue(Name("tap1"), tap, false).value(), std::nullopt);
  host().Detach("tap1");
  const std::optional<UniqueFd> queue = kernel().OpenQueue(Name("tap1"), tap, false).value();
  ASSERT_TRUE(queue.has_value());
  EXPECT_TRUE(kernel().ResetQueueSettings(*queue).ok());
}

TEST_P(KernelContractTest, TheQueuesOfAMultiQueueTapAreCounted) {
  MakeTap("tap1", MakeBridge().ifindex, true);
  EXPECT_EQ(Find("tap1")->open_queues, 0u);
  host().Attach("tap1", true);
  host().Attach("tap1", true);
  EXPECT_EQ(Find("tap1")->open_queues, 2u);
  host().Detach("tap1");
  EXPECT_EQ(Find("tap1")->open_queues, 1u);
  EXPECT_TRUE(Find("tap1")->carrier);
  host().Detach("tap1");
  EXPECT_EQ(Find("tap1")->open_queues, 0u);
  EXPECT_FALSE(Find("tap1")->carrier);
}

TEST_P(KernelContractTest, ForwardingIsTurnedOnAndOff) {
  EXPECT_FALSE(kernel().IsForwarding().value());
  ASSERT_TRUE(kernel().EnableForwarding().ok());
  EXPECT_TRUE(kernel().IsForwarding().value());
  ASSERT_TRUE(kernel().DisableForwarding().ok());
  EXPECT_FALSE(kernel().IsForwarding().value());
}

TEST_P(KernelContractTest, TheWayOfAPacketIsTheOneThatItWouldTake) {
  const Ifindex bridge = MakeBridge().ifindex;
  const Ipv4Address guest(0x0a090009);
  EXPECT_EQ(kernel().FindRoute({.destination = guest})->out, bridge);
  EXPECT_FALSE(kernel().FindRoute({.destination = guest})->is_local);
  EXPECT_TRUE(kernel().FindRoute({.destination = Spec().gateway})->is_local);
  host().AddVeth("up0");
  const Ifindex other = Find("up0")->ifindex;
  const RouteQuestion in = {.source = Ipv4Address(0x0a0a0001), .destination = guest, .in = other};
  EXPECT_TRUE(kernel().FindRoute(in)->dropped);
  EXPECT_NE(kernel().FindRoute(in)->why, "");
  ASSERT_TRUE(kernel().EnableForwarding().ok());
  EXPECT_TRUE(kernel().IsForwarding(other).value());
  host().TurnForwardingOff();
  EXPECT_FALSE(kernel().IsForwarding(other).value());
}

TEST_P(KernelContractTest, ChangesAreSaidOnce) {
  const Ifindex bridge = MakeBridge().ifindex;
  const Ifindex tap = MakeTap("tap1", bridge);
  const KernelChanges made = Changes();
  EXPECT_FALSE(made.lost);
  ASSERT_THAT(made.links, Contains(Key(tap)));
  EXPECT_EQ(made.links.at(tap), Find("tap1"));
  EXPECT_THAT(made.links, Contains(Key(bridge)));
  // But a carrier follows when the kernel has time.
  const KernelChanges none = Changes();
  for (const auto& [ifindex, link] : none.links) {
    EXPECT_EQ(link, kernel().FindLink(ifindex).value());
  }
  EXPECT_THAT(none.gone, IsEmpty());
  EXPECT_THAT(none.addresses, IsEmpty());
  EXPECT_THAT(none.neighbours, IsEmpty());
  host().Delete("tap1");
  const KernelChanges deleted = Changes();
  EXPECT_THAT(deleted.gone, Contains(tap));
  EXPECT_THAT(deleted.links, Not(Contains(Key(tap))));
}

TEST_P(KernelContractTest, WhatOthersChangeIsSaid) {
  const Ifindex bridge = MakeBridge().ifindex;
  const Ifindex tap = MakeTap("tap1", bridge);
  ASSERT_TRUE(kernel().EnableForwarding().ok());
  const std::pair at(bridge, Ipv4Address(0x0a090009));
  ASSERT_TRUE(kernel().SetNeighbour(bridge, {.address = at.second, .mac = kGuest}).ok());
  EXPECT_THAT(Changes().neighbours, Contains(Pair(at, std::make_optional(kGuest))));

  host().ForgetNeighbour("svbr0", at.second);
  EXPECT_THAT(Changes().neighbours, Contains(Pair(at, std::nullopt)));
  host().TakeAddresses("svbr0");
  EXPECT_THAT(Changes().addresses, Contains(bridge));
  host().TurnForwardingOff();
  EXPECT_TRUE(Changes().forwarding);
  host().SetOwnMac("tap1", kGuest);
  const KernelChanges stolen = Changes();
  EXPECT_EQ(stolen.links.at(tap).mac, kGuest);
  EXPECT_THAT(stolen.static_macs, Contains(Pair(std::pair(tap, kGuest), false)));
  // Also if it is taken back before anybody looks.
  host().SetOwnMac("tap1", testing::kOwnMac);
  Changes();
  host().SetOwnMac("tap1", MacAddress({2, 0, 0, 0, 0, 11}));
  host().SetOwnMac("tap1", testing::kOwnMac);
  const KernelChanges back = Changes();
  EXPECT_EQ(back.links.at(tap).mac, testing::kOwnMac);
  EXPECT_THAT(back.earlier_taps,
              Contains(::testing::Field(&Link::mac, MacAddress({2, 0, 0, 0, 0, 11}))));
}

TEST_P(KernelContractTest, APortThatABridgeLosesIsSaid) {
  const Ifindex tap = MakeTap("tap1", MakeBridge().ifindex);
  Changes();
  host().Delete("svbr0");
  const KernelChanges changes = Changes();
  ASSERT_THAT(changes.links, Contains(Key(tap)));
  EXPECT_EQ(changes.links.at(tap).master, 0);
  EXPECT_EQ(Find("tap1")->master, 0);
}

TEST_P(KernelContractTest, ReaperDestroysAGroup) {
  const Ifindex bridge = MakeBridge().ifindex;
  MakeTap("tap1", bridge);
  MakeTap("tap2", bridge, false, MacAddress({2, 0, 0, 0, 0, 10}));
  const Ifindex tap3 = MakeTap("tap3", bridge, false, MacAddress({2, 0, 0, 0, 0, 11}));
  host().Attach("tap1", false);  // also one that is held
  EXPECT_TRUE(reaper().DeleteLink(tap3).ok());
  EXPECT_THAT(NamesOfTaps(), UnorderedElementsAre("tap1", "tap2"));
  EXPECT_TRUE(reaper().DeleteGroup(7).ok());
  EXPECT_THAT(NamesOfTaps(), IsEmpty());
  EXPECT_TRUE(reaper().DeleteGroup(7).ok());
  EXPECT_TRUE(Find("svbr0").has_value());
}

TEST_P(KernelContractTest, ReaperDestroysATapThatIsHeld) {
  const Ifindex tap = MakeTap("tap1", MakeBridge().ifindex);
  host().Attach("tap1", false);
  EXPECT_TRUE(reaper().DeleteLink(tap).ok());
  EXPECT_EQ(Find("tap1"), std::nullopt);
  EXPECT_TRUE(reaper().DeleteLink(tap).ok());
}

TEST_P(KernelContractTest, ThereIsNoProcessOfANumberThatNoneHas) {
  EXPECT_TRUE(absl::IsNotFound(kernel().OpenProcess(0x7fffffff).status()));
}

}  // namespace
}  // namespace svnet
