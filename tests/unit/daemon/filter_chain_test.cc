// What a packet meets in other people's packet filters.
#include "daemon/foreign/filter_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

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

Ipv4Prefix Prefix(const std::string& text) { return Ipv4Prefix::Parse(text).value(); }

GuestNetwork NetworkOf(NetworkKind kind) {
  return {.guests = {.kind = kind,
                     .bridge = LinkName::Parse("svbr0").value(),
                     .prefix = Prefix("172.30.0.0/24")},
          .uplink = ""};
}
GuestNetwork Bridged() { return NetworkOf(NetworkKind::kBridge); }
GuestNetwork Routed() { return NetworkOf(NetworkKind::kRouted); }

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
        {"xt": null}, {"jump": {"target": "d"}}]}},
      {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"masquerade": null}]}}]})");
  ASSERT_EQ(chains.size(), 1);
  EXPECT_TRUE(chains[0].drops_by_default);
  EXPECT_EQ(chains[0].rules[0].from, "sv+");
  EXPECT_TRUE(chains[0].rules[1].established);
  EXPECT_TRUE(chains[0].rules[2].opaque);
  EXPECT_EQ(chains[0].rules[2].target, "d");
  EXPECT_FALSE(chains[0].rules[2].masquerades);
  EXPECT_TRUE(chains[0].rules[3].masquerades);
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

// What guests' packets meet in a chain with these rules and the policy drop, or accept.
std::string Meets(const GuestNetwork& network, const std::vector<FilterRule>& rules,
                  bool drops_by_default = true) {
  FilterChain base = Forward("ip", "filter", "FORWARD");
  base.drops_by_default = drops_by_default;
  base.rules = rules;
  const std::optional<GuestDrop> drop = FindGuestDrop({base}, base, network);
  if (!drop.has_value()) return "passes";
  return drop->hits_answer ? "answers dropped" : "dropped";
}

constexpr FilterRule::Verdict kAccept = Verdict::kAccept;

// Guests of a routed network have links of their own, and the bridge carries none of their packets.
TEST(BlockingChainsTest, RoutedGuestsDoNotComeByTheBridge) {
  const std::vector<FilterRule> by_bridge = {{.from = "svbr0", .verdict = kAccept},
                                             {.to = "svbr0", .verdict = kAccept}};
  EXPECT_EQ(Meets(Bridged(), by_bridge), "passes");
  EXPECT_EQ(Meets(Routed(), by_bridge), "dropped");
  const std::vector<FilterRule> others = {
      {.from = "svbr0", .not_from = true, .verdict = Verdict::kDrop}};
  EXPECT_EQ(Meets(Routed(), others, false), "dropped");
}

TEST(BlockingChainsTest, RoutedGuestsMeetRulesForAllTaps) {
  EXPECT_EQ(Meets(Routed(), {{.from = "sv+", .verdict = kAccept}}), "answers dropped");
  EXPECT_EQ(
      Meets(Routed(), {{.from = "sv+", .verdict = kAccept}, {.to = "s+", .verdict = kAccept}}),
      "passes");
  EXPECT_EQ(Meets(Routed(), {{.to = "sv+", .verdict = Verdict::kDrop}}, false), "answers dropped");
  // Others still do not get through.
  EXPECT_EQ(Meets(Routed(), {{.from = "svvm1eth0", .verdict = kAccept}}), "dropped");
}

TEST(BlockingChainsTest, RoutedGuestsMeetRulesByTheirPrefix) {
  const Ipv4Prefix whole = Prefix("172.30.0.0/24");
  const FilterRule sent = {.source = whole, .verdict = kAccept};
  EXPECT_EQ(Meets(Routed(), {sent}), "answers dropped");
  EXPECT_EQ(Meets(Routed(), {sent, {.destination = whole, .verdict = kAccept}}), "passes");
  // -m conntrack --ctstate RELATED,ESTABLISHED, as nftables lists it.
  EXPECT_EQ(Meets(Routed(), {sent, {.destination = whole, .opaque = true, .verdict = kAccept}}),
            "passes");
  EXPECT_EQ(Meets(Routed(), {sent, {.established = true, .verdict = kAccept}}), "passes");
  EXPECT_EQ(Meets(Routed(), {{.source = Prefix("172.16.0.0/12"), .verdict = kAccept},
                             {.established = true, .verdict = kAccept}}),
            "passes");
  EXPECT_EQ(Meets(Routed(), {{.source = whole, .verdict = Verdict::kDrop}}, false), "dropped");
  EXPECT_EQ(Meets(Routed(), {{.destination = whole, .verdict = Verdict::kDrop}}, false),
            "answers dropped");
}

// Of what is only for some of them, or depends on where the packet goes, it is not known whether
// all guests meet it.
TEST(BlockingChainsTest, RulesForSomeAddressesNeitherLetRoutedGuestsOutNorKeepThemIn) {
  for (const char* some : {"172.30.0.64/26", "172.30.0.7/32", "10.0.0.0/8"}) {
    EXPECT_EQ(Meets(Routed(), {{.source = Prefix(some), .verdict = kAccept}}), "dropped") << some;
    EXPECT_EQ(Meets(Routed(), {{.source = Prefix(some), .verdict = Verdict::kDrop}}, false),
              "passes")
        << some;
  }
  EXPECT_EQ(Meets(Routed(), {{.destination = Prefix("192.0.2.0/24"), .verdict = kAccept}}),
            "dropped");
  EXPECT_EQ(Meets(Routed(),
                  {{.source = Prefix("10.0.0.0/8"), .not_source = true, .verdict = Verdict::kDrop}},
                  false),
            "dropped");
  EXPECT_EQ(
      Meets(Routed(),
            {{.source = Prefix("172.30.0.0/25"), .not_source = true, .verdict = Verdict::kDrop}},
            false),
      "passes");
}

// What a bridge's guests have for addresses has never been asked.
TEST(BlockingChainsTest, RulesByAddressAreNotUnderstoodForABridge) {
  const Ipv4Prefix whole = Prefix("172.30.0.0/24");
  EXPECT_EQ(Meets(Bridged(), {{.source = whole, .verdict = kAccept}}), "dropped");
  EXPECT_EQ(Meets(Bridged(), {{.source = whole, .verdict = Verdict::kDrop}}, false), "passes");
  EXPECT_EQ(Meets(Bridged(), {{.from = "svbr0", .verdict = kAccept},
                              {.destination = Prefix("10.0.0.0/8"), .verdict = kAccept}}),
            "passes");  // as an accept for established traffic with a condition that is not known
}

// Who has changed a network's kind may still have rules for the bridge.
TEST(BlockingChainsTest, SaysWhichRulesAreNotForRoutedGuests) {
  FilterChain base = Forward("ip", "filter", "FORWARD");
  const std::string drops =
      "iptables drops traffic from guests: hook forward, chain FORWARD of table ip filter, by its "
      "policy";
  const auto says = [&](const FilterRule& rule) {
    base.rules = {rule};
    return FindBlockingChains({base}, Routed())[0].Describe();
  };
  EXPECT_EQ(says({.from = "eth1", .verdict = kAccept}), drops);
  EXPECT_EQ(says({.from = "svbr0", .verdict = kAccept}),
            drops + "; its rules for svbr0 match no guest of a routed network");
  EXPECT_EQ(says({.source = Prefix("172.30.0.64/26"), .verdict = kAccept}),
            drops + "; it has accepts for a part of 172.30.0.0/24 only");
}

TEST(FilterChainTest, ParsesAddresses) {
  const auto rule = [](const std::string& field, const std::string& op, const std::string& right) {
    const std::string match =
        absl::StrCat(R"({"op": ")", op, R"(", "left": {"payload": {"protocol": "ip", "field": ")",
                     field, R"("}}, "right": )", right, "}");
    const auto chains = *ParseRuleset(absl::StrCat(
        R"({"nftables": [{"chain": {"family": "ip", "table": "t", "name": "c"}},
            {"rule": {"family": "ip", "table": "t", "chain": "c", "expr": [{"match": )",
        match, R"(}, {"accept": null}]}}]})"));
    return chains[0].rules[0];
  };
  EXPECT_EQ(rule("saddr", "==", R"({"prefix": {"addr": "172.30.0.0", "len": 24}})"),
            (FilterRule{.source = Prefix("172.30.0.0/24"), .verdict = kAccept}));
  EXPECT_EQ(rule("daddr", "!=", R"("10.0.0.1")"), (FilterRule{.destination = Prefix("10.0.0.1/32"),
                                                              .not_destination = true,
                                                              .verdict = kAccept}));
  EXPECT_EQ(rule("protocol", "==", R"("tcp")"), (FilterRule{.opaque = true, .verdict = kAccept}));
  for (const char* not_one : {R"({"set": ["10.0.0.1", "10.0.0.2"]})", R"("@blocked")",
                              R"({"range": ["10.0.0.1", "10.0.0.9"]})",
                              R"({"prefix": {"addr": "10.0.0.0", "len": 33}})"}) {
    EXPECT_TRUE(rule("saddr", "==", not_one).opaque) << not_one;
  }
  EXPECT_FALSE(rule("saddr", "==", R"("10.0.0.1")").IsUnconditional());
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

// Nothing that iptables-nft cannot list: neither `ct state` nor a link group.
TEST(NftForeignFirewallsTest, WritesAddressesAsMasks) {
  const std::vector<FilterRule> rules = {
      {.from = "sv+", .source = Prefix("172.30.0.0/24"), .verdict = kAccept},
      {.to = "sv+", .destination = Prefix("172.30.0.0/20"), .verdict = kAccept}};
  EXPECT_EQ(*RenderReplacement(Named("DOCKER-USER"), "svnet-svbr0", rules),
            "add rule ip filter DOCKER-USER iifname \"sv*\" ip saddr & 255.255.255.0 == 172.30.0.0 "
            "counter accept comment \"svnet-svbr0\"\n"
            "add rule ip filter DOCKER-USER oifname \"sv*\" ip daddr & 255.255.240.0 == 172.30.0.0 "
            "counter accept comment \"svnet-svbr0\"\n");
}

}  // namespace
}  // namespace svnet
