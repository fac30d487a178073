// What a packet meets in other people's packet filters.
#include "filter/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "filter/nft_list.h"

namespace svnet {
namespace {

using Verdict = FilterRule::Verdict;

FilterChain Forward(const std::string& family, const std::string& table, const std::string& name) {
  return {.family = family,
          .table = table,
          .name = name,
          .hook = "forward",
          .drops_by_default = true,
          .rules = {}};
}

FilterChain Named(const std::string& name) {
  return {.family = "ip", .table = "filter", .name = name, .hook = "", .rules = {}};
}

TEST(FilterRulesTest, FollowsJumpsAsTheKernelDoes) {
  FilterChain base = Forward("ip", "filter", "FORWARD");
  FilterChain users = Named("USERS");
  base.rules = {{.verdict = Verdict::kJump, .target = "USERS"}};
  const FilterPacket out = {.from = "svbr0", .to = "eth0"};
  EXPECT_TRUE(Drops({base, users}, base, out));
  users.rules = {{.from = "other", .verdict = Verdict::kAccept}};
  EXPECT_TRUE(Drops({base, users}, base, out));
  users.rules.push_back({.from = "sv+", .verdict = Verdict::kAccept});
  EXPECT_FALSE(Drops({base, users}, base, out));
  users.rules.insert(users.rules.begin(), {.verdict = Verdict::kReturn});
  EXPECT_TRUE(Drops({base, users}, base, out));
  users.rules = {{.from = "eth0", .not_from = true, .verdict = Verdict::kAccept}};
  EXPECT_FALSE(Drops({base, users}, base, out));
}

TEST(FilterRulesTest, WhatItDoesNotUnderstandDropsNothing) {
  FilterChain base = Forward("ip", "filter", "FORWARD");
  base.drops_by_default = false;
  base.rules = {{.opaque = true, .verdict = Verdict::kDrop}};
  EXPECT_FALSE(Drops({base}, base, {.from = "svbr0", .to = "eth0"}));
  base.drops_by_default = true;
  base.rules = {{.to = "svbr0", .opaque = true, .verdict = Verdict::kAccept}};
  EXPECT_FALSE(Drops({base}, base, {.from = "eth0", .to = "svbr0", .established = true}));
  EXPECT_TRUE(Drops({base}, base, {.from = "eth0", .to = "svbr0"}));
}

TEST(FilterRulesTest, ACircleOfJumpsEnds) {
  FilterChain base = Forward("ip", "filter", "FORWARD");
  base.rules = {{.verdict = Verdict::kJump, .target = "FORWARD"}};
  EXPECT_TRUE(Drops({base}, base, {}));
}

TEST(FilterRulesTest, ReadsWhatNftPrints) {
  const auto chains = *ParseRuleset(R"({"nftables": [{"metainfo": {}},
      {"chain": {"family": "inet", "table": "t", "name": "c", "hook": "forward", "policy": "drop"}},
      {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [
        {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "sv*"}},
        {"counter": {"packets": 0}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [
        {"match": {"op": "in", "left": {"ct": {"key": "state"}},
                   "right": ["established", "related"]}}, {"accept": null}]}},
      {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [
        {"xt": null}, {"jump": {"target": "d"}}]}}]})");
  ASSERT_EQ(chains.size(), 1);
  EXPECT_TRUE(chains[0].drops_by_default);
  EXPECT_EQ(chains[0].rules[0].from, "sv+");
  EXPECT_TRUE(chains[0].rules[1].established);
  EXPECT_TRUE(chains[0].rules[2].opaque);
  EXPECT_EQ(chains[0].rules[2].target, "d");
  EXPECT_FALSE(ParseRuleset("nonsense").ok());
  EXPECT_EQ(*ParseCounter(R"({"nftables": [{"counter": {"packets": 7}}]})"), 7);
  EXPECT_FALSE(ParseCounter(R"({"nftables": []})").ok());
}

}  // namespace
}  // namespace svnet
