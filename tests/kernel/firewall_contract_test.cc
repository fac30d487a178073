// What firewall.h promises, of the implementation and of the fake that unit tests use instead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "daemon/firewall/nft_firewall.h"
#include "daemon/firewall/nft_generations.h"
#include "tests/fakes/fake_firewall.h"
#include "tests/sandbox/sandbox.h"

namespace svnet {
namespace {

using ::testing::IsEmpty;

// A firewall, and what other programs do beside it.
class Place {
 public:
  virtual ~Place() = default;
  virtual Firewall& firewall() = 0;
  // Both return when the firewall can have heard of it. Takes all rules away, as `nft flush
  // ruleset` does where it can.
  virtual void Flush() = 0;
  virtual void ChangeOthers() = 0;
  // How often it asks.
  virtual absl::Duration interval() const { return absl::ZeroDuration(); }
};

class FakePlace final : public Place {
 public:
  Firewall& firewall() override { return firewall_; }
  void Flush() override { firewall_.Flush(); }
  void ChangeOthers() override { firewall_.ChangeOthers(); }

 private:
  testing::Faults faults_;
  testing::FakeFirewall firewall_{&faults_};
};

class NftPlace final : public Place {
 public:
  explicit NftPlace(NftFirewall::Tables tables, NetworkKind kind = NetworkKind::kBridge)
      : interval_(tables == NftFirewall::Tables::kPlain ? absl::ZeroDuration()
                                                        : NftGenerations::kInterval) {
    testing::EnterFreshNetworkNamespace();
    const LinkName bridge = LinkName::Parse("svbr0").value();
    const RulesetNetwork network = {.kind = kind,
                                    .bridge = bridge,
                                    .prefix = Ipv4Prefix::Parse("172.30.0.0/24").value(),
                                    .link_group = kind == NetworkKind::kRouted ? 0x640000u : 100u};
    firewall_ = NftFirewall::Open(bridge, SpecOf(network), tables).value();
  }
  Firewall& firewall() override { return *firewall_; }
  void Flush() override { Change("nft flush ruleset"); }
  void ChangeOthers() override {
    Change("nft add table inet theirs; nft delete table inet theirs");
  }
  absl::Duration interval() const override { return interval_; }

 private:
  void Change(const std::string& commands) {
    testing::Shell(commands);
    pollfd readable = {.fd = firewall_->changes_fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&readable, 1, 20'000), 1) << commands;
  }

  const absl::Duration interval_;
  std::unique_ptr<NftFirewall> firewall_;
};

struct Implementation {
  std::string name;
  bool can_be_flushed;
  std::function<std::unique_ptr<Place>()> make;
  std::optional<GuestView> view = {};  // of its guest

  friend std::ostream& operator<<(std::ostream& out, const Implementation& each) {
    return out << each.name;
  }
};

const GuestView kView = GuestView::Parse("10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02").value();

const Implementation kImplementations[] = {
    {"Fake", true, [] { return std::make_unique<FakePlace>(); }},
    {"NftOnAnOlderKernel", true,
     [] { return std::make_unique<NftPlace>(NftFirewall::Tables::kPlain); }},
    {"Nft", false,
     [] { return std::make_unique<NftPlace>(NftFirewall::Tables::kPersistentIfPossible); }},
    {"FakeWithViews", true, [] { return std::make_unique<FakePlace>(); }, kView},
    {"NftWithViewsOnAnOlderKernel", true,
     [] { return std::make_unique<NftPlace>(NftFirewall::Tables::kPlain, NetworkKind::kRouted); },
     kView},
    {"NftWithViews", false,
     [] {
       return std::make_unique<NftPlace>(NftFirewall::Tables::kPersistentIfPossible,
                                         NetworkKind::kRouted);
     },
     kView},
};

class FirewallContractTest : public ::testing::TestWithParam<Implementation> {
 protected:
  absl::Status Apply(const std::vector<Binding>& bindings = {},
                     OtherForwarding others = OtherForwarding::kAsItIs) {
    return firewall().Apply({{.bridge = bridge_, .bindings = bindings}}, others);
  }
  // What was done before may be known only now.
  bool WereChanged() {
    pollfd readable = {.fd = firewall().changes_fd(), .events = POLLIN, .revents = 0};
    poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(2 * place().interval())));
    return firewall().WereChanged().value();
  }

  Firewall& firewall() { return place_->firewall(); }
  Place& place() { return *place_; }

  const GuestBridge bridge_ = {.ifindex = 1, .mac = MacAddress({0xc2, 0, 0, 0, 0, 1})};
  const Binding binding_ = {.ifindex = 7,
                            .mac = MacAddress({2, 0, 0, 0, 0, 7}),
                            .ip = Ipv4Address(0xac1e0002),
                            .zone = 1,
                            .owner = 1000,
                            .view = GetParam().view};

 private:
  std::unique_ptr<Place> place_ = GetParam().make();
};
INSTANTIATE_TEST_SUITE_P(Implementations, FirewallContractTest,
                         ::testing::ValuesIn(kImplementations),
                         [](const auto& each) { return each.param.name; });

TEST_P(FirewallContractTest, RulesAreThereFromApplyToRemove) {
  EXPECT_FALSE(*firewall().Stand());
  EXPECT_FALSE(*firewall().Remove());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Apply({binding_}).ok());
  EXPECT_TRUE(*firewall().Stand());
  EXPECT_TRUE(*firewall().Remove());
  EXPECT_FALSE(*firewall().Stand());
  EXPECT_FALSE(*firewall().Remove());
}

TEST_P(FirewallContractTest, BindAndUnbindMayBeRepeated) {
  ASSERT_TRUE(Apply().ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(firewall().Bind(NetworkName(), binding_).ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(firewall().Unbind(NetworkName(), binding_).ok());
}

TEST_P(FirewallContractTest, WithoutRulesUnbindIsDoneAndBindFails) {
  EXPECT_TRUE(firewall().Unbind(NetworkName(), binding_).ok());
  EXPECT_TRUE(absl::IsNotFound(firewall().Bind(NetworkName(), binding_)));
}

TEST_P(FirewallContractTest, OtherForwardingIsAsApplySaidUntilItIsOpened) {
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
  EXPECT_FALSE(firewall().OpenOtherForwarding().ok());
  ASSERT_TRUE(Apply({}, OtherForwarding::kClosed).ok());
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kClosed);
  ASSERT_TRUE(firewall().OpenOtherForwarding().ok());
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
  EXPECT_FALSE(firewall().OpenOtherForwarding().ok());
  ASSERT_TRUE(Apply({}, OtherForwarding::kClosed).ok());
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
}

// With rules or without, more or fewer, again and again.
TEST_P(FirewallContractTest, PreferredSourcesMayBeSetAtAnyTime) {
  const std::map<Ifindex, Ipv4Address> sources = {{1, Ipv4Address(0xc0000207)},
                                                  {4, Ipv4Address(0xc0000208)}};
  EXPECT_TRUE(firewall().SetPreferredSources(sources).ok());
  ASSERT_TRUE(Apply().ok());
  EXPECT_TRUE(firewall().SetPreferredSources(sources).ok());
  EXPECT_TRUE(firewall().SetPreferredSources({{1, Ipv4Address(0xc0000209)}}).ok());
  EXPECT_TRUE(firewall().SetPreferredSources({}).ok());
  EXPECT_TRUE(firewall().SetPreferredSources({}).ok());
  EXPECT_FALSE(WereChanged());
}

TEST_P(FirewallContractTest, WithoutRulesNothingIsDropped) {
  EXPECT_THAT(*firewall().ReadDrops(NetworkName()), IsEmpty());
}

TEST_P(FirewallContractTest, ItsOwnChangesAreNotOthers) {
  ASSERT_TRUE(Apply({}, OtherForwarding::kClosed).ok());
  EXPECT_TRUE(firewall().Bind(NetworkName(), binding_).ok());
  EXPECT_TRUE(firewall().Unbind(NetworkName(), binding_).ok());
  EXPECT_TRUE(firewall().OpenOtherForwarding().ok());
  EXPECT_TRUE(Apply().ok());
  EXPECT_TRUE(*firewall().Remove());
  EXPECT_FALSE(WereChanged());
  EXPECT_FALSE(firewall().OthersWereChanged());
}

TEST_P(FirewallContractTest, DisownLeavesTheRulesInForce) {
  EXPECT_TRUE(firewall()
                  .Disown({{.bridge = bridge_, .bindings = {binding_}}}, OtherForwarding::kClosed)
                  .ok());
  EXPECT_FALSE(*firewall().Stand());
  ASSERT_TRUE(Apply({binding_}, OtherForwarding::kClosed).ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(firewall()
                    .Disown({{.bridge = bridge_, .bindings = {binding_}}}, OtherForwarding::kClosed)
                    .ok());
    EXPECT_TRUE(*firewall().Stand());
  }
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kClosed);
  EXPECT_TRUE(firewall().Unbind(NetworkName(), binding_).ok());
  EXPECT_TRUE(firewall().Bind(NetworkName(), binding_).ok());
  EXPECT_FALSE(WereChanged());
}

TEST_P(FirewallContractTest, DisownedRulesCanBeFlushedAndAppliedAgain) {
  ASSERT_TRUE(Apply({binding_}).ok());
  ASSERT_TRUE(firewall()
                  .Disown({{.bridge = bridge_, .bindings = {binding_}}}, OtherForwarding::kAsItIs)
                  .ok());
  place().Flush();
  EXPECT_TRUE(WereChanged());
  EXPECT_FALSE(*firewall().Stand());
  ASSERT_TRUE(Apply({binding_}).ok());
  EXPECT_TRUE(*firewall().Stand());
}

TEST_P(FirewallContractTest, ChangesOfOtherRulesAreToldOnce) {
  ASSERT_TRUE(Apply().ok());
  EXPECT_FALSE(WereChanged());
  place().ChangeOthers();
  EXPECT_FALSE(WereChanged());
  EXPECT_TRUE(firewall().OthersWereChanged());
  EXPECT_FALSE(firewall().OthersWereChanged());
}

// What changes nothing does not stand for a change of others.
TEST_P(FirewallContractTest, ChangesOfOtherRulesAreToldAlsoAmongOwnOnesThatDoNothing) {
  ASSERT_TRUE(Apply({binding_}).ok());
  EXPECT_FALSE(WereChanged());
  EXPECT_FALSE(firewall().OthersWereChanged());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(firewall().Bind(NetworkName(), binding_).ok());
    place().ChangeOthers();
    EXPECT_FALSE(WereChanged());
    EXPECT_TRUE(firewall().OthersWereChanged()) << "told in round " << i;
    EXPECT_TRUE(firewall().Bind(NetworkName(), binding_).ok());
    EXPECT_FALSE(WereChanged());
    EXPECT_FALSE(firewall().OthersWereChanged()) << "its own in round " << i;
    EXPECT_TRUE(firewall().Unbind(NetworkName(), binding_).ok());
    EXPECT_TRUE(firewall().Unbind(NetworkName(), binding_).ok());
    EXPECT_TRUE(firewall().SetPreferredSources({}).ok());
    EXPECT_FALSE(WereChanged());
    EXPECT_FALSE(firewall().OthersWereChanged());
  }
}

TEST_P(FirewallContractTest, AFlushIsToldOnceAndRepairedByApply) {
  if (!GetParam().can_be_flushed) GTEST_SKIP() << "no other program can";
  ASSERT_TRUE(Apply({binding_}).ok());
  EXPECT_FALSE(WereChanged());
  place().Flush();
  EXPECT_TRUE(WereChanged());
  EXPECT_FALSE(WereChanged());
  EXPECT_FALSE(*firewall().Stand());
  EXPECT_TRUE(firewall().Unbind(NetworkName(), binding_).ok());
  EXPECT_FALSE(firewall().Bind(NetworkName(), binding_).ok());
  ASSERT_TRUE(Apply().ok());
  EXPECT_TRUE(firewall().Bind(NetworkName(), binding_).ok());
  EXPECT_FALSE(WereChanged());
}

}  // namespace
}  // namespace svnet
