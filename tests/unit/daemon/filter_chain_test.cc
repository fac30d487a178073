// What a packet meets in other people's packet filters.
#include "daemon/foreign/filter_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/foreign/blocking_chains.h"
#include "daemon/foreign/nft_foreign_firewalls.h"
#include "daemon/foreign/nft_json.h"

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

GuestNetwork Bridged() {
  return {.guests = {.kind = NetworkKind::kBridge,
                     .bridge = LinkName::Parse("svbr0").value(),
                     .prefix = Ipv4Prefix::Parse("172.30.0.0/24").value()},
          .uplink = ""};
}

TEST(FilterChainTest, FollowsJumpsAsTheKernelDoes) {
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

TEST(FilterChainTest, IgnoresDropsThatItDoesNotUnderstand) {
  FilterChain base = Forward("ip", "filter", "FORWARD");
  base.drops_by_default = false;
  base.rules = {{.opaque = true, .verdict = Verdict::kDrop}};
  EXPECT_FALSE(Drops({base}, base, {.from = "svbr0", .to = "eth0"}));
  base.drops_by_default = true;
  base.rules = {{.to = "svbr0", .opaque = true, .verdict = Verdict::kAccept}};
  EXPECT_FALSE(Drops({base}, base, {.from = "eth0", .to = "svbr0", .established = true}));
  EXPECT_TRUE(Drops({base}, base, {.from = "eth0", .to = "svbr0"}));
}

TEST(FilterChainTest, EndsALoopOfJumps) {
  FilterChain base = Forward("ip", "filter", "FORWARD");
  base.rules = {{.verdict = Verdict::kJump, .target = "FORWARD"}};
  EXPECT_TRUE(Drops({base}, base, {}));
}

TEST(FilterChainTest, ParsesTheOutputOfNft) {
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

TEST(FilterChainTest, IgnoresComments) {
  const auto chains = *ParseRuleset(R"({"nftables": [
      {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}},
      {"rule": {"family": "ip", "table": "filter", "chain": "DOCKER-USER", "handle": 8, "expr": [
        {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "svbr0"}},
        {"xt": {"type": "match", "name": "comment"}}, {"counter": {}}, {"accept": null}]}},
      {"rule": {"family": "ip", "table": "filter", "chain": "DOCKER-USER", "handle": 9,
        "comment": "svnet-svbr0", "expr": [{"xt": {"type": "target", "name": "REJECT"}}]}}]})");
  EXPECT_FALSE(chains[0].rules[0].opaque);
  EXPECT_EQ(chains[0].rules[0].handle, 8u);
  EXPECT_EQ(chains[0].rules[1].comment, "svnet-svbr0");
  EXPECT_EQ(chains[0].rules[1].verdict, Verdict::kDrop);
}

TEST(FilterChainTest, FindsWhereAPacketIsDropped) {
  FilterChain base = Forward("ip", "filter", "FORWARD");
  FilterChain users = Named("USERS");
  base.rules = {{.verdict = Verdict::kJump, .target = "USERS"}};
  const FilterPacket out = {.from = "svbr0", .to = "eth0"};
  EXPECT_EQ(FindDrop({base, users}, base, out)->chain, "FORWARD");
  EXPECT_TRUE(FindDrop({base, users}, base, out)->by_policy);
  users.rules = {{.verdict = Verdict::kDrop}};
  EXPECT_EQ(FindDrop({base, users}, base, out)->chain, "USERS");
  EXPECT_FALSE(FindDrop({base, users}, base, out)->by_policy);
}

TEST(BlockingChainsTest, NamesTheOwnerOfAChain) {
  const std::vector<std::pair<std::string, std::string>> makers = {{"DOCKER-USER", "Docker"},
                                                                   {"ufw-user-forward", "ufw"},
                                                                   {"FORWARD_ZONES", "firewalld"},
                                                                   {"mine", "iptables"}};
  for (const auto& [chain, maker] : makers) {
    const auto blocking =
        FindBlockingChains({Forward("ip", "filter", "FORWARD"), Named(chain)}, Bridged());
    ASSERT_EQ(blocking.size(), 1u) << chain;
    EXPECT_EQ(blocking[0].Describe(),
              maker +
                  " drops traffic from guests: hook forward, chain FORWARD of table ip "
                  "filter, by its policy");
  }
  EXPECT_THAT(FindBlockingChains({Forward("inet", "svnet-svbr0", "forward")}, Bridged()),
              ::testing::IsEmpty());
}

// The whole of it is one transaction: what is ours goes, and comes again in its place.
TEST(NftForeignFirewallsTest, ReplacesItsOwnRulesBeforeTheReturn) {
  FilterChain users = Named("DOCKER-USER");
  users.rules = {
      {.verdict = Verdict::kDrop, .comment = "theirs", .handle = 3},
      {.from = "old0", .verdict = Verdict::kAccept, .comment = "svnet-svbr0", .handle = 4},
      {.verdict = Verdict::kReturn, .handle = 5}};
  const std::vector<FilterRule> rules = {
      {.from = "svbr0", .to = "docker0", .verdict = Verdict::kReturn},
      {.from = "svbr0", .to = "br-+", .verdict = Verdict::kReturn},
      {.from = "svbr0", .verdict = Verdict::kAccept}};
  EXPECT_EQ(*RenderReplacement(users, "svnet-svbr0", rules),
            "delete rule ip filter DOCKER-USER handle 4\n"
            "insert rule ip filter DOCKER-USER handle 5 iifname \"svbr0\" oifname \"docker0\" "
            "counter return comment \"svnet-svbr0\"\n"
            "insert rule ip filter DOCKER-USER handle 5 iifname \"svbr0\" oifname \"br-*\" "
            "counter return comment \"svnet-svbr0\"\n"
            "insert rule ip filter DOCKER-USER handle 5 iifname \"svbr0\" counter accept comment "
            "\"svnet-svbr0\"\n");
  users.rules.pop_back();
  EXPECT_THAT(*RenderReplacement(users, "svnet-svbr0", rules),
              ::testing::HasSubstr("add rule ip filter DOCKER-USER iifname"));
  EXPECT_FALSE(RenderReplacement(users, "svnet-svbr0", {{.from = "\"; flush ruleset"}}).ok());
}

}  // namespace
}  // namespace svnet
