// What callers may do, and what they are told.
#include "daemon/network/authorizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Iface;
using testing::ReasonIn;
using testing::Vm;

const Caller kUser = {.uid = 1000, .gid = 1000, .groups = {44}, .tap_limit = 2, .queue_limit = 4};
const Caller kAdministrator = {.uid = 0, .gid = 0, .administrator = true, .tap_limit = 2};

TEST(AuthorizerTest, UsersActForThemselvesAndAdministratorsForAll) {
  EXPECT_TRUE(Authorizer(kUser).CanActFor(1000));
  EXPECT_FALSE(Authorizer(kUser).CanActFor(1001));
  EXPECT_TRUE(Authorizer(kAdministrator).CanActFor(1001));
}

TEST(AuthorizerTest, AKeyIsTheCallersUnlessAnAdministratorNamesAnOwner) {
  const LeaseIds own = {.owner = {}, .vm = Vm("vm1"), .iface = Iface("eth0")};
  const LeaseIds others = {.owner = 1001, .vm = Vm("vm1"), .iface = Iface("eth0")};
  EXPECT_EQ(Authorizer(kUser).KeyFor(own)->owner, 1000u);
  EXPECT_EQ(ReasonIn(Authorizer(kUser).KeyFor(others).status()), "PERMISSION_DENIED");
  EXPECT_EQ(Authorizer(kAdministrator).KeyFor(others)->owner, 1001u);
}

TEST(AuthorizerTest, AGroupMustBeOneOfTheCallers) {
  EXPECT_TRUE(Authorizer(kUser).CheckGroup(std::nullopt).ok());
  EXPECT_TRUE(Authorizer(kUser).CheckGroup(1000).ok());
  EXPECT_TRUE(Authorizer(kUser).CheckGroup(44).ok());
  EXPECT_EQ(ReasonIn(Authorizer(kUser).CheckGroup(45)), "PERMISSION_DENIED");
  EXPECT_TRUE(Authorizer(kAdministrator).CheckGroup(45).ok());
}

TEST(AuthorizerTest, QuotasAreOfTapsAndOfQueuesOfMultiQueueTaps) {
  const Authorizer user(kUser);
  EXPECT_TRUE(user.CheckQuota(1000, {.taps = 1, .queues = 2}, 2).ok());
  const absl::Status taps = user.CheckQuota(1000, {.taps = 2}, 1);
  EXPECT_EQ(ReasonIn(taps), "QUOTA_EXCEEDED");
  EXPECT_THAT(std::string(taps.message()), HasSubstr("taps_per_user"));
  const absl::Status queues = user.CheckQuota(1000, {.taps = 1, .queues = 3}, 2);
  EXPECT_EQ(ReasonIn(queues), "QUOTA_EXCEEDED");
  EXPECT_THAT(std::string(queues.message()), HasSubstr("queues_per_user"));
  EXPECT_TRUE(user.CheckQuota(1000, {.taps = 1, .queues = 4}, 1).ok());
  EXPECT_TRUE(Authorizer(kAdministrator).CheckQuota(1000, {.taps = 99}, 2).ok());
}

TEST(AuthorizerTest, SettingsThatAreNotForAllAreForAdministrators) {
  const Setting secret = {.name = "socket", .value = "\"/s\""};
  const Setting open = {.name = "mtu", .value = "1400", .for_all = true};
  EXPECT_THAT(Authorizer(kUser).Filter({secret, open}), ElementsAre(open));
  EXPECT_THAT(Authorizer(kAdministrator).Filter({secret, open}), ElementsAre(secret, open));
}

TEST(AuthorizerTest, OnlyAdministratorsCleanUpTheNetwork) {
  EXPECT_EQ(ReasonIn(Authorizer(kUser).CheckNetworkCleanup()), "PERMISSION_DENIED");
  EXPECT_TRUE(Authorizer(kAdministrator).CheckNetworkCleanup().ok());
}

}  // namespace
}  // namespace svnet
