// Other programs' firewalls, in memory.
#include "daemon/foreign/foreign_firewall_reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/clean_up.h"
#include "tests/fakes/fake_foreign_firewalls.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Verdict = FilterRule::Verdict;

constexpr char kOurs[] =
    "-i svbr0 -o docker+ RETURN /* svnet-svbr0 */\n"
    "-i svbr0 -o br-+ RETURN /* svnet-svbr0 */\n"
    "-i svbr0 ACCEPT /* svnet-svbr0 */\n"
    "-o svbr0 ACCEPT /* svnet-svbr0 */\n";

// The same for a routed network.
constexpr char kOursByAddress[] =
    "-s 172.30.0.0/24 -i sv+ -o docker+ RETURN /* svnet-svbr0 */\n"
    "-s 172.30.0.0/24 -i sv+ -o br-+ RETURN /* svnet-svbr0 */\n"
    "-s 172.30.0.0/24 -i sv+ ACCEPT /* svnet-svbr0 */\n"
    "-d 172.30.0.0/24 -o sv+ ACCEPT /* svnet-svbr0 */\n";

FilterChain ChainOf(const std::string& name, std::vector<FilterRule> rules,
                    const std::string& family = "ip") {
  return {.family = family,
          .table = "filter",
          .name = name,
          .hook = name == "FORWARD" ? "forward" : "",
          .drops_by_default = name == "FORWARD",
          .rules = std::move(rules)};
}

FilterRule Jump(const std::string& target, const std::string& to = "") {
  return {.to = to, .verdict = Verdict::kJump, .target = target};
}

std::vector<FilterChain> Docker(const std::string& family = "ip") {
  return {ChainOf("FORWARD", {Jump("DOCKER-USER"), Jump("DOCKER", "docker0")}, family),
          ChainOf("DOCKER-USER", {{.verdict = Verdict::kReturn}}, family),
          ChainOf("DOCKER", {}, family)};
}

// The steps in which a Docker with networks of all kinds of names creates its rules.
struct DockerStep {
  std::string chain;
  FilterRule rule;
};
std::vector<DockerStep> DockerSteps() {
  return {{"FORWARD", Jump("DOCKER-USER")},
          {"DOCKER-USER", {.verdict = Verdict::kReturn}},
          {"FORWARD", Jump("DOCKER", "docker0")},
          {"FORWARD", Jump("DOCKER", "br-0123456789ab")},
          {"FORWARD", Jump("DOCKER", "backends")}};
}
constexpr const char* kContainers[] = {"docker0", "br-0123456789ab", "backends"};

std::vector<FilterChain> Firewalld() {
  return {
      {.family = "inet",
       .table = "firewalld",
       .name = "filter_FORWARD",
       .hook = "forward",
       .rules = {{.established = true, .verdict = Verdict::kAccept}, {.verdict = Verdict::kDrop}}}};
}

const NetworkName kDefault;
const NetworkName kRed = NetworkName::Parse("red").value();

// The default network, and one beside it, which most tests never bring up.
std::vector<GuestNetwork> Guests(NetworkKind kind = NetworkKind::kBridge) {
  return {{.guests = {.kind = kind, .bridge = Name("svbr0"), .prefix = Prefix("172.30.0.0/24")},
           .uplink = ""},
          {.guests = {.kind = kind, .bridge = Name("svred0"), .prefix = Prefix("172.31.0.0/24")},
           .uplink = "",
           .name = kRed,
           .tables = Name("svbr0")}};
}

class ForeignFirewallReconcilerTest : public ::testing::Test {
 protected:
  explicit ForeignFirewallReconcilerTest(NetworkKind kind = NetworkKind::kBridge)
      : foreign_firewalls_(Guests(kind), true, &foreign_, [this] { return now_; }) {}

  void RunOnce() {
    const ForeignFirewallReport report = foreign_firewalls_.RunOnce();
    for (const auto& entry : report.entries) said_.push_back(entry.text);
    Publish(report);
  }
  virtual void Publish(const ForeignFirewallReport&) {}
  // After the rules have been quiet for long enough.
  void RunLater() {
    now_ += absl::Seconds(1);
    RunOnce();
  }
  // What goes from guests to containers is dropped, whether or not svnetd has run since.
  void ExpectContainersClosed(const std::string& when) {
    const FilterChain& forward = foreign_.Chain("FORWARD");
    for (const char* bridge : kContainers) {
      const FilterPacket packet = {.from = "svbr0", .to = bridge, .established = false};
      EXPECT_TRUE(Drops(foreign_.chains, forward, packet))
          << "open to " << bridge << " " << when << "\n"
          << foreign_.Dump("DOCKER-USER");
    }
  }
  // Docker begins anew; `after_step` is called after each of its commands.
  void RestartDocker(const std::function<void(const std::string& when)>& after_step) {
    foreign_.chains = {ChainOf("FORWARD", {}), ChainOf("DOCKER-USER", {}), ChainOf("DOCKER", {})};
    after_step("after the flush");
    int count = 0;
    for (const DockerStep& step : DockerSteps()) {
      foreign_.Chain(step.chain).rules.push_back(step.rule);
      after_step(absl::StrCat("after Docker's rule ", ++count));
    }
  }
  std::string ConditionsText() {
    std::string text;
    for (const Condition& each : foreign_firewalls_.Conditions()) {
      absl::StrAppend(&text, each.type, ": ", each.message, " | ", each.remedy, "\n");
    }
    return text;
  }

  testing::Faults faults_;
  testing::FakeForeignFirewalls foreign_{&faults_};
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  std::vector<std::string> said_;
  ForeignFirewallReconciler foreign_firewalls_;
};

TEST_F(ForeignFirewallReconcilerTest, LetsGuestsThroughWhileThereIsANetwork) {
  foreign_.chains = Docker();
  RunLater();
  EXPECT_THAT(said_, IsEmpty());
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("to Docker (chain DOCKER-USER of table ip")));
  EXPECT_EQ(ConditionsText(), "");
  EXPECT_TRUE(foreign_firewalls_.Withdraw(kDefault).ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(ForeignFirewallReconcilerTest, ChangesNothingTheSecondTime) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  faults_.TakeCalls();
  foreign_firewalls_.MarkDirty();
  RunLater();
  EXPECT_THAT(faults_.TakeCalls(), ElementsAre("Read"));
}

TEST_F(ForeignFirewallReconcilerTest, KeepsItsRulesAfterLaterOnes) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  auto& rules = foreign_.Chain("DOCKER-USER").rules;
  rules.insert(rules.end() - 1, {.to = "eth7", .verdict = Verdict::kDrop, .comment = "theirs"});
  foreign_firewalls_.MarkDirty();
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"),
            absl::StrCat("-o eth7 DROP /* theirs */\n", kOurs, "RETURN\n"));
}

// Docker creates its rules with many commands, and svnetd may run between any two of them.
TEST_F(ForeignFirewallReconcilerTest, OpensNoContainerToGuestsInAnyStepOfADockerRestart) {
  RestartDocker([](const std::string&) {});
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  ExpectContainersClosed("at first");
  const std::string managed = foreign_.Dump("DOCKER-USER");
  EXPECT_THAT(managed, HasSubstr("-i svbr0 -o backends RETURN /* svnet-svbr0 */\n-i svbr0 ACCEPT"));
  RestartDocker([this](const std::string& when) {
    ExpectContainersClosed(absl::StrCat(when, ", before svnetd has worked"));
    foreign_firewalls_.MarkDirty();
    RunLater();
    ExpectContainersClosed(absl::StrCat(when, ", after svnetd has worked"));
  });
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), managed);
}

TEST_F(ForeignFirewallReconcilerTest, OpensNoNewDockerNetworkToGuests) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  for (const char* bridge : {"docker1", "docker_gwbridge", "br-fedcba987654"}) {
    const FilterPacket packet = {.from = "svbr0", .to = bridge, .established = false};
    EXPECT_TRUE(Drops(foreign_.chains, foreign_.Chain("FORWARD"), packet)) << bridge;
  }
}

TEST_F(ForeignFirewallReconcilerTest, LetsTheGuestsOfEachNetworkThroughAsLongAsThatExists) {
  foreign_.chains = Docker();
  for (const FilterChain& chain : Firewalld()) foreign_.chains.push_back(chain);
  const std::string before = foreign_.Dump("DOCKER-USER");
  foreign_firewalls_.NetworkUp(kRed, "eth0");
  RunLater();
  const std::string reds = foreign_.Dump("DOCKER-USER");
  EXPECT_THAT(reds, AllOf(HasSubstr("-i svred0"), Not(HasSubstr("-i svbr0"))));
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  const std::string both = foreign_.Dump("DOCKER-USER");
  EXPECT_THAT(both, AllOf(HasSubstr("-i svred0"), HasSubstr("-i svbr0")));
  EXPECT_THAT(foreign_.Dump("filter_FORWARD"),
              AllOf(HasSubstr("-i svred0"), HasSubstr("-i svbr0")));
  EXPECT_EQ(ConditionsText(), "");
  // A later svnetd finds what it would make.
  said_.clear();
  ForeignFirewallReconciler next(Guests(), true, &foreign_, [this] { return now_; });
  next.NetworkUp(kDefault, "eth0");
  next.NetworkUp(kRed, "eth0");
  EXPECT_THAT(next.RunOnce().entries, IsEmpty());
  EXPECT_TRUE(foreign_firewalls_.Withdraw(kDefault).ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), reds);
  EXPECT_THAT(foreign_.Dump("filter_FORWARD"),
              AllOf(HasSubstr("-i svred0"), Not(HasSubstr("-i svbr0"))));
  EXPECT_TRUE(foreign_firewalls_.Withdraw(kRed).ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), before);
}

TEST_F(ForeignFirewallReconcilerTest, SaysWhoseGuestsAreCutOff) {
  foreign_.chains = {{.family = "inet",
                      .table = "t",
                      .name = "c",
                      .hook = "forward",
                      .rules = {{.from = "svred0", .verdict = Verdict::kDrop}}}};
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  foreign_firewalls_.NetworkUp(kRed, "eth0");
  RunLater();
  EXPECT_THAT(foreign_firewalls_.BlockedNetworks(), ElementsAre(kRed));
  EXPECT_TRUE(foreign_firewalls_.Withdraw(kRed).ok());
  EXPECT_THAT(foreign_firewalls_.BlockedNetworks(), IsEmpty());
  EXPECT_EQ(ConditionsText(), "");
}

TEST_F(ForeignFirewallReconcilerTest, KeepsTheReturnsAtAStartDuringADockerRestart) {
  RestartDocker([](const std::string&) {});
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  foreign_.Chain("FORWARD").rules = {Jump("DOCKER-USER")};
  ForeignFirewallReconciler next(Guests(), true, &foreign_, [this] { return now_; });
  next.NetworkUp(kDefault, "eth0");
  next.RunOnce();
  ExpectContainersClosed("after svnetd's start");
}

TEST_F(ForeignFirewallReconcilerTest, LetsGuestsOutByAnUplinkWithADockerName) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "br-lan");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"),
            absl::StrCat("-i svbr0 -o br-lan ACCEPT /* svnet-svbr0 */\n", kOurs, "RETURN\n"));
  EXPECT_EQ(ConditionsText(), "");
}

TEST_F(ForeignFirewallReconcilerTest, ForgetsDockerBridgesWhenThereAreMany) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  for (int i = 0; i < 300; ++i) {
    foreign_.Chain("FORWARD").rules = {Jump("DOCKER-USER"), Jump("DOCKER", absl::StrCat("net", i))};
    foreign_firewalls_.MarkDirty();
    RunLater();
    EXPECT_THAT(foreign_.Dump("DOCKER-USER"), HasSubstr(absl::StrCat("-o net", i, " RETURN")));
    EXPECT_LE(foreign_.Chain("DOCKER-USER").rules.size(), 64u + 5);
  }
}

TEST_F(ForeignFirewallReconcilerTest, ForgetsDockerBridgesWithTheNetwork) {
  RestartDocker([](const std::string&) {});
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  ASSERT_TRUE(foreign_firewalls_.Withdraw(kDefault).ok());
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
}

TEST_F(ForeignFirewallReconcilerTest, AddsNothingThatDoesNotHelp) {
  foreign_.chains = Docker();
  foreign_.Chain("DOCKER-USER").rules = {{.verdict = Verdict::kDrop}};
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "DROP\n");
  EXPECT_THAT(ConditionsText(),
              HasSubstr("an accept rule in its extension point would not change that"));
}

TEST_F(ForeignFirewallReconcilerTest, AddsNothingWhereNothingIsDropped) {
  foreign_.chains = Docker();
  foreign_.chains[0].drops_by_default = false;
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(ForeignFirewallReconcilerTest, ManagesSeveralFirewalls) {
  foreign_.chains = Docker(kIptablesLegacyFamily);
  for (const FilterChain& chain : Firewalld()) foreign_.chains.push_back(chain);
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_EQ(ConditionsText(), "");
  EXPECT_THAT(said_, ElementsAre(HasSubstr("iptables-legacy's table filter), firewalld (zone")));
  EXPECT_TRUE(foreign_firewalls_.Withdraw(kDefault).ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
  EXPECT_EQ(foreign_.Dump("filter_FORWARD"), "ACCEPT\nDROP\n");
}

TEST_F(ForeignFirewallReconcilerTest, ReportsAFailureOnceAndRetries) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  for (int i = 0; i < 3; ++i) {
    faults_.FailNext("Replace", absl::InternalError("nftables: no"));
    foreign_firewalls_.MarkDirty();
    RunLater();
  }
  ASSERT_EQ(said_.size(), 1u);
  EXPECT_EQ(said_[0], "cannot change other programs' firewalls: nftables: no");
  EXPECT_THAT(ConditionsText(), HasSubstr("Docker drops traffic from guests"));
  EXPECT_THAT(ConditionsText(), HasSubstr("svnetd cannot add its accept rules: nftables: no"));
  now_ += absl::Seconds(10);
  EXPECT_TRUE(foreign_firewalls_.WaitForWork());
  RunLater();
  EXPECT_EQ(ConditionsText(), "");
}

// On a busy host the xtables lock is often held: guests do not wait 10 s for it, and it does not
// count as a repair.
TEST_F(ForeignFirewallReconcilerTest, RetriesSoonIfTheFirewallIsBusy) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  for (int i = 0; i < 100; ++i) {
    faults_.FailNext("Replace", absl::UnavailableError("iptables-legacy: busy"));
    RunOnce();
    EXPECT_THAT(ConditionsText(), HasSubstr("iptables-legacy: busy"));
    now_ += absl::Milliseconds(100);
    ASSERT_TRUE(foreign_firewalls_.WaitForWork());
  }
  RunOnce();
  EXPECT_EQ(ConditionsText(), "");
  faults_.FailNext("Replace", absl::UnavailableError("iptables-legacy: busy"));
  EXPECT_FALSE(foreign_firewalls_.Withdraw(kDefault).ok());
  now_ += absl::Milliseconds(100);
  ASSERT_TRUE(foreign_firewalls_.WaitForWork());
  RunOnce();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(ForeignFirewallReconcilerTest, KeepsKnownConditionsIfRulesCannotBeRead) {
  foreign_.chains = Docker();
  foreign_firewalls_.SetManage(false);
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  const std::string before = ConditionsText();
  EXPECT_THAT(before, HasSubstr("manage_foreign_firewalls = true"));
  EXPECT_THAT(said_, IsEmpty());  // whoever logs conditions says it
  faults_.FailNext("Read", absl::InternalError("nftables: busy"));
  foreign_firewalls_.MarkDirty();
  RunLater();
  EXPECT_THAT(said_.back(), HasSubstr("cannot read other programs' firewalls"));
  EXPECT_EQ(ConditionsText(), before);
}

TEST_F(ForeignFirewallReconcilerTest, RetriesAFailedWithdrawal) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  faults_.FailNext("Replace", absl::InternalError("nftables: no"));
  EXPECT_FALSE(foreign_firewalls_.Withdraw(kDefault).ok());
  now_ += absl::Seconds(10);
  EXPECT_TRUE(foreign_firewalls_.WaitForWork());
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(ForeignFirewallReconcilerTest, PausesIfTheAcceptsKeepBeingRemoved) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  int repairs = 0;
  for (; repairs < 200; ++repairs) {
    foreign_.chains = Docker();
    foreign_firewalls_.MarkDirty();
    RunOnce();  // all in one instant
    if (foreign_.Dump("DOCKER-USER") == "RETURN\n") break;
  }
  EXPECT_EQ(repairs, 64);
  EXPECT_THAT(ConditionsText(), HasSubstr("keep being removed"));
  now_ += RepairLimit::kPause;
  EXPECT_TRUE(foreign_firewalls_.WaitForWork());
  RunLater();
  EXPECT_EQ(ConditionsText(), "");
}

TEST_F(ForeignFirewallReconcilerTest, ReadsIptablesLegacyRegularly) {
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  foreign_.chains = Docker(kIptablesLegacyFamily);
  foreign_.legacy_changed = true;
  now_ += absl::Seconds(10);
  EXPECT_TRUE(foreign_firewalls_.WaitForWork());
  RunOnce();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
  EXPECT_EQ(ConditionsText(), "");
}

// iptables-legacy does not report changes, and the last read is what is compared with.
TEST_F(ForeignFirewallReconcilerTest, NoticesChangesDuringARun) {
  foreign_.chains = Docker();
  foreign_.after_replace = [&] {
    std::erase_if(foreign_.Chain("DOCKER-USER").rules,
                  [](const FilterRule& rule) { return !rule.comment.empty(); });
  };
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
}

TEST_F(ForeignFirewallReconcilerTest, ReportsIptablesLegacyRulesThatItCannotRead) {
  foreign_.legacy_is_hidden = true;
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_THAT(ConditionsText(), HasSubstr("FOREIGN_FIREWALL: iptables-legacy has rules"));
  EXPECT_THAT(ConditionsText(), HasSubstr("RestrictAddressFamilies=AF_INET"));
}

TEST_F(ForeignFirewallReconcilerTest, ReportsChangesThatNoRunHasSeen) {
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  foreign_.chains = Docker();
  foreign_firewalls_.MarkDirty();
  EXPECT_THAT(ConditionsText(), HasSubstr("svnetd is about to add its accept rules"));
  foreign_.chains = Docker(kIptablesLegacyFamily);
  foreign_.legacy_changed = true;
  EXPECT_THAT(ConditionsText(), HasSubstr("iptables-legacy's table filter"));
}

TEST_F(ForeignFirewallReconcilerTest, StopsWaiting) {
  foreign_firewalls_.StopWaiting();
  EXPECT_FALSE(foreign_firewalls_.WaitForWork());
}

class RoutedForeignFirewallsTest : public ForeignFirewallReconcilerTest {
 protected:
  RoutedForeignFirewallsTest() : ForeignFirewallReconcilerTest(NetworkKind::kRouted) {}

  // Another svnetd with the same chains, for which the network is of that kind.
  void RunAs(NetworkKind kind) {
    ForeignFirewallReconciler next(Guests(kind), true, &foreign_, [this] { return now_; });
    next.NetworkUp(kDefault, "eth0");
    next.RunOnce();
    EXPECT_THAT(next.KnownConditions(), IsEmpty());
  }
};

TEST_F(RoutedForeignFirewallsTest, LetsGuestsThroughByAddressWhileThereIsANetwork) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOursByAddress, "RETURN\n"));
  EXPECT_EQ(ConditionsText(), "");
  EXPECT_THAT(foreign_firewalls_.BlockedNetworks(), IsEmpty());
  ASSERT_TRUE(foreign_firewalls_.Withdraw(kDefault).ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(RoutedForeignFirewallsTest, AcceptsNothingThatSomebodyElseSendsWithAGuestsAddress) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  const FilterPacket spoofed = {.from = "eth0", .to = "eth1", .source = Prefix("172.30.0.7/32")};
  EXPECT_TRUE(Drops(foreign_.chains, foreign_.Chain("FORWARD"), spoofed));
}

TEST_F(RoutedForeignFirewallsTest, OpensNoContainerToGuests) {
  RestartDocker([](const std::string&) {});
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  for (const char* bridge : kContainers) {
    const FilterPacket packet = {.from = "sv+", .to = bridge, .source = Prefix("172.30.0.0/24")};
    EXPECT_TRUE(Drops(foreign_.chains, foreign_.Chain("FORWARD"), packet)) << bridge;
  }
}

TEST_F(RoutedForeignFirewallsTest, LetsGuestsOutByAnUplinkWithADockerName) {
  foreign_.chains = Docker();
  foreign_firewalls_.NetworkUp(kDefault, "br-lan");
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"),
            absl::StrCat("-s 172.30.0.0/24 -i sv+ -o br-lan ACCEPT /* svnet-svbr0 */\n",
                         kOursByAddress, "RETURN\n"));
  EXPECT_EQ(ConditionsText(), "");
}

TEST_F(RoutedForeignFirewallsTest, HasThePrefixInFirewalldsZone) {
  foreign_.chains = Firewalld();
  foreign_firewalls_.NetworkUp(kDefault, "eth0");
  RunLater();
  EXPECT_EQ(foreign_.Dump("filter_FORWARD"),
            "-s 172.30.0.0/24 jump filter_FWD_svnet\nACCEPT\nDROP\n");
  EXPECT_EQ(ConditionsText(), "");
  ASSERT_TRUE(foreign_firewalls_.Withdraw(kDefault).ok());
  EXPECT_EQ(foreign_.Dump("filter_FORWARD"), "ACCEPT\nDROP\n");
}

// The kind is a key of the configuration: a start with the other one finds the rules of the first.
TEST_F(RoutedForeignFirewallsTest, ReplacesTheRulesOfTheOtherKind) {
  foreign_.chains = Docker();
  for (const FilterChain& chain : Firewalld()) foreign_.chains.push_back(chain);
  const std::string by_link = "-i svbr0 jump filter_FWD_svnet\nACCEPT\nDROP\n";
  const std::string by_source = "-s 172.30.0.0/24 jump filter_FWD_svnet\nACCEPT\nDROP\n";
  for (int i = 0; i < 2; ++i) {
    RunAs(NetworkKind::kBridge);
    EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
    EXPECT_EQ(foreign_.Dump("filter_FORWARD"), by_link);
    RunAs(NetworkKind::kRouted);
    EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOursByAddress, "RETURN\n"));
    EXPECT_EQ(foreign_.Dump("filter_FORWARD"), by_source);
  }
}

TEST_F(RoutedForeignFirewallsTest, WithdrawsTheRulesOfTheOtherKind) {
  foreign_.chains = Docker();
  for (const FilterChain& chain : Firewalld()) foreign_.chains.push_back(chain);
  RunAs(NetworkKind::kBridge);
  ASSERT_TRUE(foreign_firewalls_.Withdraw(kDefault).ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
  EXPECT_EQ(foreign_.Dump("filter_FORWARD"), "ACCEPT\nDROP\n");
}

// The manager tells it when there is a network, and when it goes.
class ManagedForeignFirewallsTest : public ForeignFirewallReconcilerTest {
 protected:
  ManagedForeignFirewallsTest() {
    foreign_.chains = Docker();
    registry_ = NetworkRegistry::Start({{.bridge = Name("svbr0"),
                                         .prefix = Prefix("172.30.0.0/24"),
                                         .bridge_mac = Mac("c2:00:00:00:00:01")}},
                                       {.kernel = &kernel_,
                                        .firewall = &firewall_,
                                        .store = &store_,
                                        .foreign = &foreign_firewalls_,
                                        .events = &events_,
                                        .clock = [this] { return now_; }})
                    .value();
    api_.emplace(registry_.get(), &foreign_firewalls_, &events_);
  }

  void Publish(const ForeignFirewallReport& report) override {
    registry_->NoteForeignFirewalls(report);
  }
  absl::Status Create() {
    return api_->CreateTap(kRoot, {.vm = Vm("vm1"), .iface = Iface("eth0")}).status();
  }

  testing::FakeKernel kernel_{&faults_};
  absl::StatusOr<CleanupResult> CleanUp() {
    return testing::CleanUp(*api_, ReapWorker(registry_.get(), &reaper_), kRoot,
                            {.scope = CleanupScope::kNetwork});
  }

  testing::FakeReaper reaper_{&kernel_, &faults_};
  testing::FakeFirewall firewall_{&faults_};
  testing::FakeSpecStore store_{&faults_};
  EventSink events_{{}};
  std::unique_ptr<NetworkRegistry> registry_;
  std::optional<NetworkApi> api_;
};

TEST_F(ManagedForeignFirewallsTest, AddsAndRemovesAcceptsWithTheNetwork) {
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
  ASSERT_TRUE(Create().ok());
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
  foreign_.chains = Docker();
  firewall_.ChangeOthers();
  registry_->HandleEvents();
  RunLater();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
  EXPECT_THAT(api_->GetNetwork(kRoot, {})->conditions, IsEmpty());
  ASSERT_TRUE(CleanUp().ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

// Once another program filters what is forwarded, that decides; and who comes after it has
// gone is told.
TEST_F(ManagedForeignFirewallsTest, DropsOtherForwardingUntilAnotherProgramFilters) {
  foreign_.chains.clear();
  ASSERT_TRUE(Create().ok());
  RunLater();
  EXPECT_EQ(*firewall_.ReadOtherForwarding(), OtherForwarding::kClosed);
  foreign_.chains = {{.family = "ip", .table = "filter", .name = "FORWARD", .hook = "forward"}};
  foreign_firewalls_.MarkDirty();
  RunLater();  // it is empty, and lets everything through
  EXPECT_EQ(*firewall_.ReadOtherForwarding(), OtherForwarding::kClosed);
  foreign_.chains = Docker();
  foreign_firewalls_.MarkDirty();
  RunLater();
  EXPECT_EQ(*firewall_.ReadOtherForwarding(), OtherForwarding::kAsItIs);
  RunLater();
  EXPECT_THAT(ConditionsText(), Not(HasSubstr("FORWARDING_FOR_ALL")));
  foreign_.chains.clear();
  foreign_firewalls_.MarkDirty();
  EXPECT_THAT(ConditionsText(), HasSubstr("no firewall filters"));
  ASSERT_TRUE(kernel_.IsForwarding().value());
  ASSERT_TRUE(CleanUp().ok());
  EXPECT_TRUE(kernel_.IsForwarding().value());  // the record has gone with the chain
}

TEST_F(ManagedForeignFirewallsTest, RemovesTheChainWithTheRulesIfItCannotBeRemovedAlone) {
  foreign_.chains.clear();
  ASSERT_TRUE(Create().ok());
  foreign_.chains = Docker();
  foreign_firewalls_.MarkDirty();
  faults_.FailNext("OpenOtherForwarding", absl::InternalError("no"));
  RunLater();
  EXPECT_EQ(*firewall_.ReadOtherForwarding(), OtherForwarding::kAsItIs);
}

TEST_F(ManagedForeignFirewallsTest, ReportsACleanupThatCannotWithdraw) {
  ASSERT_TRUE(Create().ok());
  RunLater();
  faults_.FailNext("Replace", absl::InternalError("nftables: no"));
  const auto cleanup = CleanUp();
  EXPECT_THAT(std::string(cleanup.status().message()),
              HasSubstr("svnetd's accepts in other packet filters"));
  EXPECT_EQ(ReasonIn(cleanup.status()), "BRIDGE_SETUP_FAILED");
}

}  // namespace
}  // namespace svnet
