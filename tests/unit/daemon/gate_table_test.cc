#include "daemon/accept/gate_table.h"

#include <gtest/gtest.h>

#include <optional>

#include "daemon/accept/gate_maker.h"

namespace svnet {
namespace {

using Kind = GateTable::Kind;

class GateTableTest : public ::testing::Test {
 protected:
  // Caller's own, with a connection.
  GateNumber Own(const Caller& caller) {
    const GateNumber number = Add(Kind::kSpare);
    table_.Give(number, caller);
    table_.at(number).connections.insert(number);
    return number;
  }
  GateNumber Add(Kind kind) {
    table_.Add(++last_, {.kind = kind, .link = nullptr});
    return last_;
  }
  void MakeIdle(GateNumber number, int since) {
    table_.at(number).connections.clear();
    table_.at(number).idle_since = absl::FromUnixSeconds(since);
  }
  // 0: there is room.
  std::optional<GateNumber> InPlaceOf(const Caller& caller) {
    const GateTable::Room room = table_.RoomFor(caller);
    if (!room.is_there) return std::nullopt;
    return room.in_place_of.value_or(0);
  }

  GateTable table_;
  GateNumber last_ = 0;
};

TEST_F(GateTableTest, FindsTheGateOfACallerUntilItIsRetired) {
  const Caller alice = {.uid = 1000, .gid = 1000};
  const Caller alice_in_a_group = {.uid = 1000, .gid = 1000, .groups = {7}};
  const GateNumber gate = Own(alice);
  EXPECT_EQ(table_.FindOwn(alice), gate);
  EXPECT_EQ(table_.FindOwn(alice_in_a_group), std::nullopt);
  table_.Retire(&table_.at(gate));
  EXPECT_EQ(table_.FindOwn(alice), std::nullopt);
  EXPECT_NE(table_.Find(gate), nullptr);
  table_.Remove(gate);
  EXPECT_EQ(table_.Find(gate), nullptr);
}

TEST_F(GateTableTest, ASpareIsFoundUntilItIsGiven) {
  EXPECT_EQ(table_.FindSpare(), std::nullopt);
  const GateNumber spare = Add(Kind::kSpare);
  EXPECT_EQ(table_.FindSpare(), spare);
  table_.Give(spare, {.uid = 1000});
  EXPECT_EQ(table_.FindSpare(), std::nullopt);
}

TEST_F(GateTableTest, OneThatIsSharedTakesOnlySoManyConnections) {
  const GateNumber shared = Add(Kind::kShared);
  const GateNumber refused = Add(Kind::kRefused);
  EXPECT_EQ(table_.FindCommon(Kind::kShared), shared);
  table_.at(shared).taken = GateMaker::kMostOfShared;
  table_.at(refused).taken = GateMaker::kMostOfShared;
  EXPECT_EQ(table_.FindCommon(Kind::kShared), std::nullopt);
  EXPECT_EQ(table_.FindCommon(Kind::kRefused), refused);
}

TEST_F(GateTableTest, AUidHasFewAndItsLongestIdleOneMakesRoom) {
  for (gid_t group = 0; group < GateTable::kMostOfOneUid; ++group) {
    EXPECT_EQ(InPlaceOf({.uid = 1000, .groups = {group}}), 0u);
    Own({.uid = 1000, .groups = {group}});
  }
  const GateNumber others = Own({.uid = 1001});
  MakeIdle(others, 1);
  EXPECT_EQ(InPlaceOf({.uid = 1000, .groups = {99}}), std::nullopt);
  MakeIdle(2, 20);
  MakeIdle(3, 10);
  EXPECT_EQ(InPlaceOf({.uid = 1000, .groups = {99}}), 3u);
  EXPECT_EQ(InPlaceOf({.uid = 1002}), 0u);
}

TEST_F(GateTableTest, AdministratorsHaveRoomBesidesUsers) {
  for (uid_t uid = 2000; uid < 2000 + GateTable::kMost; ++uid) Own({.uid = uid});
  EXPECT_EQ(InPlaceOf({.uid = 3000}), std::nullopt);
  EXPECT_EQ(InPlaceOf({.uid = 3000, .administrator = true}), 0u);
  const GateNumber administrators = Own({.uid = 0, .administrator = true});
  MakeIdle(administrators, 1);
  EXPECT_EQ(InPlaceOf({.uid = 3000}), std::nullopt);
  MakeIdle(5, 2);
  EXPECT_EQ(InPlaceOf({.uid = 3000}), 5u);
}

}  // namespace
}  // namespace svnet
