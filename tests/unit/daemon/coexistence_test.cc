// Living with other people's packet filters, over ones in memory.
#include "daemon/network/coexistence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_foreign_firewalls.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Verdict = FilterRule::Verdict;

constexpr char kOurs[] =
    "-i svbr0 -o docker+ RETURN /* svnet-svbr0 */\n"
    "-i svbr0 -o br-+ RETURN /* svnet-svbr0 */\n"
    "-i svbr0 ACCEPT /* svnet-svbr0 */\n"
    "-o svbr0 ACCEPT /* svnet-svbr0 */\n";

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

// A Docker with networks of all kinds of names, as it makes its rules: one by one.
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

class CoexistenceWorkTest : public ::testing::Test {
 protected:
  explicit CoexistenceWorkTest(bool manage = true)
      : coexistence_(Name("svbr0"), manage, &foreign_, [this] { return now_; }) {
    coexistence_.SetPublish([this](const TapEvent& event) { said_.push_back(event.message); });
  }

  // What its thread does until there is nothing left.
  void LetWork() {
    now_ += absl::Seconds(1);
    coexistence_.Work();
  }
  // What goes from guests to containers is dropped, whether or not svnetd has worked by now.
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
    for (const Condition& each : coexistence_.Conditions()) {
      absl::StrAppend(&text, each.type, ": ", each.message, " | ", each.remedy, "\n");
    }
    return text;
  }

  testing::Faults faults_;
  testing::FakeForeignFirewalls foreign_{&faults_};
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  std::vector<std::string> said_;
  Coexistence coexistence_;
};

TEST_F(CoexistenceWorkTest, LetsGuestsThroughWhileThereIsANetwork) {
  foreign_.chains = Docker();
  LetWork();
  EXPECT_THAT(said_, IsEmpty());
  coexistence_.Serve("eth0");
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("let through Docker (chain DOCKER-USER of table ip")));
  EXPECT_EQ(ConditionsText(), "");
  EXPECT_TRUE(coexistence_.Withdraw().ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(CoexistenceWorkTest, TwiceIsOnce) {
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  LetWork();
  faults_.TakeCalls();
  coexistence_.Suspect();
  LetWork();
  EXPECT_THAT(faults_.TakeCalls(), ElementsAre("Read"));
}

TEST_F(CoexistenceWorkTest, StandsBehindWhatCameLater) {
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  LetWork();
  auto& rules = foreign_.Chain("DOCKER-USER").rules;
  rules.insert(rules.end() - 1, {.to = "eth7", .verdict = Verdict::kDrop, .comment = "theirs"});
  coexistence_.Suspect();
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"),
            absl::StrCat("-o eth7 DROP /* theirs */\n", kOurs, "RETURN\n"));
}

// Docker needs many commands for its rules, and svnetd may work between any two of them.
TEST_F(CoexistenceWorkTest, NoStepOfADockerRestartOpensContainersToGuests) {
  RestartDocker([](const std::string&) {});
  coexistence_.Serve("eth0");
  LetWork();
  ExpectContainersClosed("at first");
  const std::string managed = foreign_.Dump("DOCKER-USER");
  EXPECT_THAT(managed, HasSubstr("-i svbr0 -o backends RETURN /* svnet-svbr0 */\n-i svbr0 ACCEPT"));
  RestartDocker([this](const std::string& when) {
    ExpectContainersClosed(absl::StrCat(when, ", before svnetd has worked"));
    coexistence_.Suspect();
    LetWork();
    ExpectContainersClosed(absl::StrCat(when, ", after svnetd has worked"));
  });
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), managed);
}

// The names that Docker itself gives need not be known.
TEST_F(CoexistenceWorkTest, ANewDockerNetworkIsNeverOpenToGuests) {
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  LetWork();
  for (const char* bridge : {"docker1", "docker_gwbridge", "br-fedcba987654"}) {
    const FilterPacket packet = {.from = "svbr0", .to = bridge, .established = false};
    EXPECT_TRUE(Drops(foreign_.chains, foreign_.Chain("FORWARD"), packet)) << bridge;
  }
}

TEST_F(CoexistenceWorkTest, AStartDuringADockerRestartKeepsTheReturns) {
  RestartDocker([](const std::string&) {});
  coexistence_.Serve("eth0");
  LetWork();
  foreign_.Chain("FORWARD").rules = {Jump("DOCKER-USER")};
  Coexistence next(Name("svbr0"), true, &foreign_, [this] { return now_; });
  next.Serve("eth0");
  next.Work();
  ExpectContainersClosed("after svnetd's start");
}

TEST_F(CoexistenceWorkTest, AnUplinkThatIsNamedAsDockerNamesBridgesIsOpenToGuests) {
  foreign_.chains = Docker();
  coexistence_.Serve("br-lan");
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"),
            absl::StrCat("-i svbr0 -o br-lan ACCEPT /* svnet-svbr0 */\n", kOurs, "RETURN\n"));
  EXPECT_EQ(ConditionsText(), "");
}

TEST_F(CoexistenceWorkTest, ForgetsDockerBridgesWhenThereAreMany) {
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  for (int i = 0; i < 300; ++i) {
    foreign_.Chain("FORWARD").rules = {Jump("DOCKER-USER"), Jump("DOCKER", absl::StrCat("net", i))};
    coexistence_.Suspect();
    LetWork();
    EXPECT_THAT(foreign_.Dump("DOCKER-USER"), HasSubstr(absl::StrCat("-o net", i, " RETURN")));
    EXPECT_LE(foreign_.Chain("DOCKER-USER").rules.size(), 64u + 5);
  }
}

TEST_F(CoexistenceWorkTest, ForgetsDockerBridgesWithTheNetwork) {
  RestartDocker([](const std::string&) {});
  coexistence_.Serve("eth0");
  LetWork();
  ASSERT_TRUE(coexistence_.Withdraw().ok());
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
}

TEST_F(CoexistenceWorkTest, AddsNothingThatDoesNotHelp) {
  foreign_.chains = Docker();
  foreign_.Chain("DOCKER-USER").rules = {{.verdict = Verdict::kDrop}};
  coexistence_.Serve("eth0");
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "DROP\n");
  EXPECT_THAT(ConditionsText(), HasSubstr("no accept in its place for them changes that"));
}

TEST_F(CoexistenceWorkTest, AddsNothingWhereNothingIsDropped) {
  foreign_.chains = Docker();
  foreign_.chains[0].drops_by_default = false;
  coexistence_.Serve("eth0");
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(CoexistenceWorkTest, EachFirewallOnItsOwn) {
  foreign_.chains = Docker("legacy");
  for (const FilterChain& chain : Firewalld()) foreign_.chains.push_back(chain);
  coexistence_.Serve("eth0");
  LetWork();
  EXPECT_EQ(ConditionsText(), "");
  EXPECT_THAT(said_, ElementsAre(HasSubstr("iptables-legacy's table filter), firewalld (zone")));
  EXPECT_TRUE(coexistence_.Withdraw().ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
  EXPECT_EQ(foreign_.Dump("filter_FORWARD"), "ACCEPT\nDROP\n");
}

TEST_F(CoexistenceWorkTest, AFailureIsSaidOnceAndTriedAgain) {
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  for (int i = 0; i < 3; ++i) {
    faults_.FailNext("Replace", absl::InternalError("nftables: no"));
    coexistence_.Suspect();
    LetWork();
  }
  ASSERT_EQ(said_.size(), 1u);
  EXPECT_THAT(said_[0], HasSubstr("Docker drops what guests send out"));
  EXPECT_THAT(said_[0], HasSubstr("svnetd cannot have its accepts there: nftables: no"));
  EXPECT_THAT(ConditionsText(), HasSubstr("nftables: no"));
  now_ += absl::Seconds(10);
  EXPECT_TRUE(coexistence_.WaitForWork());
  LetWork();
  EXPECT_EQ(ConditionsText(), "");
}

// A busy host's xtables lock: not a reason to keep guests waiting for ten seconds, nor a
// repair, however often it happens.
TEST_F(CoexistenceWorkTest, WhoIsOnlyBusyIsAskedAgainAtOnce) {
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  for (int i = 0; i < 100; ++i) {
    faults_.FailNext("Replace", absl::UnavailableError("iptables-legacy: busy"));
    coexistence_.Work();
    EXPECT_THAT(ConditionsText(), HasSubstr("iptables-legacy: busy"));
    now_ += absl::Milliseconds(100);
    ASSERT_TRUE(coexistence_.WaitForWork());
  }
  coexistence_.Work();
  EXPECT_EQ(ConditionsText(), "");
  faults_.FailNext("Replace", absl::UnavailableError("iptables-legacy: busy"));
  EXPECT_FALSE(coexistence_.Withdraw().ok());
  now_ += absl::Milliseconds(100);
  ASSERT_TRUE(coexistence_.WaitForWork());
  coexistence_.Work();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(CoexistenceWorkTest, ARuleThatCannotBeReadIsNoReasonToForgetWhatIsKnown) {
  foreign_.chains = Docker();
  coexistence_.SetManage(false);
  coexistence_.Serve("eth0");
  LetWork();
  const std::string before = ConditionsText();
  EXPECT_THAT(before, HasSubstr("manage_foreign_firewalls = true"));
  faults_.FailNext("Read", absl::InternalError("nftables: busy"));
  coexistence_.Suspect();
  LetWork();
  EXPECT_THAT(said_.back(), HasSubstr("cannot read other people's packet filters"));
  EXPECT_EQ(ConditionsText(), before);
}

TEST_F(CoexistenceWorkTest, AFailedWithdrawalIsTriedAgain) {
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  LetWork();
  faults_.FailNext("Replace", absl::InternalError("nftables: no"));
  EXPECT_FALSE(coexistence_.Withdraw().ok());
  now_ += absl::Seconds(10);
  EXPECT_TRUE(coexistence_.WaitForWork());
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

TEST_F(CoexistenceWorkTest, WhoTakesThemAwayAgainAndAgainIsLeftAlone) {
  foreign_.chains = Docker();
  coexistence_.Serve("eth0");
  int repairs = 0;
  for (; repairs < 200; ++repairs) {
    foreign_.chains = Docker();
    coexistence_.Suspect();
    coexistence_.Work();  // all in one instant
    if (foreign_.Dump("DOCKER-USER") == "RETURN\n") break;
  }
  EXPECT_EQ(repairs, 64);
  EXPECT_THAT(ConditionsText(), HasSubstr("takes them away again and again"));
  now_ += RepairLimit::kPause;
  EXPECT_TRUE(coexistence_.WaitForWork());
  LetWork();
  EXPECT_EQ(ConditionsText(), "");
}

TEST_F(CoexistenceWorkTest, LegacyIsLookedAtNowAndThen) {
  coexistence_.Serve("eth0");
  LetWork();
  foreign_.chains = Docker("legacy");
  foreign_.legacy_changed = true;
  now_ += absl::Seconds(10);
  EXPECT_TRUE(coexistence_.WaitForWork());
  coexistence_.Work();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
  EXPECT_EQ(ConditionsText(), "");
}

// iptables-legacy says nothing of it, and what is read last is what is compared with.
TEST_F(CoexistenceWorkTest, WhatChangesWhileItWorksIsNotMissed) {
  foreign_.chains = Docker();
  foreign_.after_replace = [&] {
    std::erase_if(foreign_.Chain("DOCKER-USER").rules,
                  [](const FilterRule& rule) { return !rule.comment.empty(); });
  };
  coexistence_.Serve("eth0");
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
}

TEST_F(CoexistenceWorkTest, LegacyThatIsHiddenIsSaidToBe) {
  foreign_.legacy_is_hidden = true;
  coexistence_.Serve("eth0");
  LetWork();
  EXPECT_THAT(ConditionsText(), HasSubstr("FOREIGN_FIREWALL: iptables-legacy has rules"));
  EXPECT_THAT(ConditionsText(), HasSubstr("RestrictAddressFamilies=AF_INET"));
}

TEST_F(CoexistenceWorkTest, WhoAsksHearsOfWhatHasJustChanged) {
  coexistence_.Serve("eth0");
  LetWork();
  foreign_.chains = Docker();
  coexistence_.Suspect();
  EXPECT_THAT(ConditionsText(), HasSubstr("svnetd is about to let them through"));
  foreign_.chains = Docker("legacy");
  foreign_.legacy_changed = true;
  EXPECT_THAT(ConditionsText(), HasSubstr("iptables-legacy's table filter"));
}

TEST_F(CoexistenceWorkTest, StopsWaiting) {
  coexistence_.StopWaiting();
  EXPECT_FALSE(coexistence_.WaitForWork());
}

// The manager tells it when there is a network, and when it goes.
class ManagedCoexistenceTest : public CoexistenceWorkTest {
 protected:
  ManagedCoexistenceTest() {
    foreign_.chains = Docker();
    registry_ = NetworkRegistry::Start({.bridge = Name("svbr0"),
                                        .prefix = Prefix("172.30.0.0/24"),
                                        .bridge_mac = Mac("c2:00:00:00:00:01")},
                                       {.kernel = &kernel_,
                                        .reaper = &reaper_,
                                        .firewall = &firewall_,
                                        .coexistence = &coexistence_,
                                        .events = &events_,
                                        .clock = [this] { return now_; }})
                    .value();
  }

  absl::Status Create() {
    return registry_->CreateTap(kRoot, {.vm = Vm("vm1"), .iface = Iface("eth0")}).status();
  }

  testing::FakeKernel kernel_{&faults_};
  testing::FakeReaper reaper_{&kernel_, &faults_};
  testing::FakeFirewall firewall_{&faults_};
  EventSink events_{{}};
  std::unique_ptr<NetworkRegistry> registry_;
};

TEST_F(ManagedCoexistenceTest, FollowsTheNetwork) {
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
  ASSERT_TRUE(Create().ok());
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
  foreign_.chains = Docker();
  firewall_.ChangeOthers();
  registry_->HandleEvents();
  LetWork();
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), absl::StrCat(kOurs, "RETURN\n"));
  EXPECT_THAT(registry_->GetNetwork()->conditions, IsEmpty());
  ASSERT_TRUE(registry_->Cleanup(kRoot, CleanupScope::kNetwork).ok());
  EXPECT_EQ(foreign_.Dump("DOCKER-USER"), "RETURN\n");
}

// Once another program filters what is forwarded, that decides; and who comes after it has
// gone is told.
TEST_F(ManagedCoexistenceTest, OtherForwardingIsClosedUntilAnotherProgramFilters) {
  foreign_.chains.clear();
  ASSERT_TRUE(Create().ok());
  LetWork();
  EXPECT_EQ(*firewall_.ReadOtherForwarding(), OtherForwarding::kClosed);
  foreign_.chains = {{.family = "ip", .table = "filter", .name = "FORWARD", .hook = "forward"}};
  coexistence_.Suspect();
  LetWork();  // it is empty, and lets everything through
  EXPECT_EQ(*firewall_.ReadOtherForwarding(), OtherForwarding::kClosed);
  foreign_.chains = Docker();
  coexistence_.Suspect();
  LetWork();
  EXPECT_EQ(*firewall_.ReadOtherForwarding(), OtherForwarding::kAsItIs);
  LetWork();
  EXPECT_THAT(ConditionsText(), Not(HasSubstr("FORWARDING_FOR_ALL")));
  foreign_.chains.clear();
  coexistence_.Suspect();
  EXPECT_THAT(ConditionsText(), HasSubstr("nobody filters"));
  ASSERT_TRUE(kernel_.IsForwarding().value());
  ASSERT_TRUE(registry_->Cleanup(kRoot, CleanupScope::kNetwork).ok());
  EXPECT_TRUE(kernel_.IsForwarding().value());  // the record has gone with the chain
}

TEST_F(ManagedCoexistenceTest, AChainThatCannotBeTakenAwayGoesWithTheRules) {
  foreign_.chains.clear();
  ASSERT_TRUE(Create().ok());
  foreign_.chains = Docker();
  coexistence_.Suspect();
  faults_.FailNext("OpenOtherForwarding", absl::InternalError("no"));
  LetWork();
  EXPECT_EQ(*firewall_.ReadOtherForwarding(), OtherForwarding::kAsItIs);
}

TEST_F(ManagedCoexistenceTest, ACleanupThatCannotWithdrawSaysSo) {
  ASSERT_TRUE(Create().ok());
  LetWork();
  faults_.FailNext("Replace", absl::InternalError("nftables: no"));
  const auto cleanup = registry_->Cleanup(kRoot, CleanupScope::kNetwork);
  EXPECT_THAT(std::string(cleanup.status().message()),
              HasSubstr("svnetd's accepts in other packet filters"));
  EXPECT_EQ(ReasonIn(cleanup.status()), "BRIDGE_SETUP_FAILED");
}

}  // namespace
}  // namespace svnet
