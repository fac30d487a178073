// What the log says of conditions, though nobody asks for the status.
#include "daemon/network/condition_log.h"

#include <linux/rtnetlink.h>

#include "daemon/network/event_sink.h"
#include "daemon/network/last_failure.h"
#include "tests/unit/daemon/registry_fixture.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ConditionLogTest : public ::testing::Test {
 protected:
  std::vector<std::string> Note(const std::vector<Condition>& now,
                                const std::set<NetworkName>& unread = {}) {
    log_.Note(now, unread);
    return std::exchange(said_, {});
  }

 private:
  std::vector<std::string> said_;
  EventSink sink_{{[this](const TapEvent& event) { said_.push_back(event.message); }}};
  ConditionLog log_{&sink_};
};

Condition Of(const std::string& type, const std::string& message) {
  return {.type = type, .message = message, .remedy = "this helps"};
}

TEST_F(ConditionLogTest, SaysOnceThatOneHoldsAndOnceThatItIsOver) {
  EXPECT_THAT(Note({}), IsEmpty());
  EXPECT_THAT(Note({Of("A", "one")}), ElementsAre("A: one (this helps)"));
  EXPECT_THAT(Note({Of("A", "one"), Of("B", "two")}), ElementsAre("B: two (this helps)"));
  EXPECT_THAT(Note({Of("B", "two"), Of("A", "one")}), IsEmpty());
  EXPECT_THAT(Note({Of("B", "two")}), ElementsAre("A is over"));
  EXPECT_THAT(Note({}), ElementsAre("B is over"));
}

TEST_F(ConditionLogTest, WhatCannotBeReadIsNotOver) {
  Condition of_red = Of("A", "one");
  of_red.network = NetworkName::Parse("red").value();
  Note({Of("A", "one"), of_red});
  EXPECT_THAT(Note({}, {of_red.network}), ElementsAre("A is over"));
  EXPECT_THAT(Note({of_red}), IsEmpty());
  EXPECT_THAT(Note({}), ElementsAre("A is over"));
}

// A count in its words would fill the log.
TEST_F(ConditionLogTest, OtherWordsAreNoOtherCondition) {
  Note({Of("A", "3 TAPs are ...")});
  EXPECT_THAT(Note({Of("A", "4 TAPs are ...")}), IsEmpty());
  EXPECT_THAT(Note({}), ElementsAre("A is over"));
}

TEST_F(ConditionLogTest, MoreOfATypeAreSaid) {
  Note({Of("A", "one")});
  EXPECT_THAT(Note({Of("A", "one"), Of("A", "two")}), ElementsAre("A: two (this helps)"));
  EXPECT_THAT(Note({Of("A", "two")}), IsEmpty());
  EXPECT_THAT(Note({}), ElementsAre("A is over"));
}

class ConditionsTest : public NetworkRegistryTest {
 protected:
  ConditionsTest() {
    on_health_ = [this](const HealthOfNetworks& health) { health_ = health.at(NetworkName()); };
    registry();
    EXPECT_THAT(Hear(), IsEmpty());
  }

  // What is said a moment later.
  std::vector<std::string> Hear() {
    registry().HandleEvents();
    now_ += absl::Seconds(1);
    registry().HandleEvents();
    return std::exchange(conditions_, {});
  }

  NetworkHealth health_;
};

TEST_F(ConditionsTest, AreLoggedThoughNobodyAsks) {
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(Hear(), IsEmpty());
  kernel_.TurnForwardingOff("eth0");
  kernel_.AddRoute({.destination = Prefix("0.0.0.0/0"),
                    .ifindex = kernel_.Find("eth0")->ifindex,
                    .table = RT_TABLE_MAIN});  // something is heard
  EXPECT_THAT(Hear(), ElementsAre(StartsWith("FORWARDING_OFF: link eth0 does not forward")));
  kernel_.TurnForwardingOn("eth0");
  kernel_.DeleteRoutes(Prefix("10.0.0.0/8"));
  EXPECT_THAT(Hear(), ElementsAre("FORWARDING_OFF is over"));
}

// What only grows full is not heard of.
TEST_F(ConditionsTest, AreLookedForThoughNothingHappens) {
  firewall_.SetConnections({.used = 100, .size = 100});
  now_ += absl::Seconds(11);
  EXPECT_THAT(Hear(), ElementsAre(StartsWith("CONNECTION_TABLE_NEARLY_FULL: ")));
}

TEST_F(ConditionsTest, TheLastFailureToMakeALeaseHoldsUntilASuccess) {
  faults_.FailNext("EnsureBridge", absl::InternalError("Read-only file system"));
  EXPECT_FALSE(Create(kAlice, "vm1").ok());
  EXPECT_FALSE(health_.network);
  EXPECT_THAT(Conditions(), ElementsAre("CREATE_FAILED"));
  EXPECT_THAT(Hear(), ElementsAre(HasSubstr("Read-only file system")));
  MustCreate(kAlice, "vm1");
  EXPECT_TRUE(health_.network);
  EXPECT_THAT(Conditions(), IsEmpty());
  EXPECT_THAT(Hear(), ElementsAre("CREATE_FAILED is over"));
}

// One TAP's failure may be its caller's doing, who must not make the whole service look ill.
TEST_F(ConditionsTest, AFailureOfOneTapDoesNotMakeTheNetworkIll) {
  faults_.FailNext("Persist", absl::InternalError("no"));
  EXPECT_FALSE(Create(kAlice, "vm1").ok());
  EXPECT_TRUE(health_.network);
  EXPECT_THAT(Conditions(), ElementsAre("CREATE_FAILED"));
}

// As in a container whose /proc/sys cannot be written.
TEST_F(ConditionsTest, ATapWhoseIpv6CannotBeSwitchedOffIsMadeAllTheSame) {
  faults_.FailNext("SwitchIpv6Off", absl::InternalError("Read-only file system"));
  MustCreate(kAlice, "vm1");
  EXPECT_THAT(Conditions(), ElementsAre("IPV6_NOT_OFF"));
  // The kernel's error names the TAP, which is nobody else's business.
  const Condition condition = api().GetNetwork(kRoot, {}).value().conditions.front();
  EXPECT_THAT(condition.message, HasSubstr("Read-only file system"));
  EXPECT_THAT(condition.for_all, StartsWith("IPv6 cannot be switched off on TAPs: creating one"));
  EXPECT_TRUE(health_.network);
  MustCreate(kAlice, "vm2");
  EXPECT_THAT(Conditions(), IsEmpty());
}

TEST_F(ConditionsTest, WhatACallerIsRefusedIsNoFailure) {
  MustCreate(kAlice, "vm1");
  TapRequest taken = {.vm = Vm("vm2"), .iface = Iface("eth0")};
  taken.ip = Ip("172.30.0.2");
  EXPECT_FALSE(api().CreateTap(kAlice, taken).ok());
  EXPECT_THAT(Conditions(), IsEmpty());
}

// The error names a TAP, which may be another owner's.
TEST(LastFailureTest, TellsOthersNothingOfALease) {
  LastFailure failure;
  failure.Note(Error(Reason::kTapCreateFailed, "cannot create a TAP for secret"));
  std::vector<Condition> conditions;
  failure.AddConditions(&conditions);
  ASSERT_EQ(conditions.size(), 1u);
  EXPECT_THAT(conditions[0].message, HasSubstr("secret"));
  EXPECT_EQ(conditions[0].for_all, "the last CreateTap failed");
}

}  // namespace
}  // namespace svnet
