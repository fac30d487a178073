#include "daemon/firewall/ruleset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "daemon/firewall/nft_firewall.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Ip;
using testing::Mac;
using testing::Name;
using ::testing::Not;
using testing::Prefix;
using ::testing::StartsWith;

const GuestBridge kBridge = {.ifindex = 3, .mac = Mac("c2:00:00:00:00:01")};

// The whole policy, as a reader should see it: every option that adds a rule is on.
TEST(RulesetTest, IsTheGoldenText) {
  const RulesetSpec spec = {
      .bridge = Name("br-vm.1"),
      .prefix = Prefix("10.1.2.64/26"),
      .link_group = 100,
      .host_access = false,
      .host_ports = {{HostPort::Protocol::kUdp, 53}, {HostPort::Protocol::kTcp, 8080}},
      .blocked_destinations = {Prefix("169.254.0.0/16"), Prefix("10.0.0.0/8")},
      .guest_connections = 4096,
      .owner_connections = 32768,
      .others = OtherForwarding::kClosed,
      .local_access = LocalAccess::kOwner,
      .admin_gids = {27, 100}};
  const Binding binding = {.ifindex = 7,
                           .mac = Mac("02:00:00:00:00:07"),
                           .ip = Ip("10.1.2.66"),
                           .zone = 4294967294,
                           .owner = 100'000};
  std::ifstream file(SVNET_GOLDEN_RULESET);
  std::ostringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(RenderRuleset(spec, kBridge, {binding}), golden.str());
}

TEST(RulesetTest, WithoutOptionsLeavesTheirRulesOut) {
  const std::string ruleset = RenderRuleset(
      {.bridge = Name("svbr0"), .prefix = Prefix("172.30.0.0/24"), .link_group = 100}, kBridge, {});
  for (const char* absent : {"@blocked", "set blocked", "host_denied drop", "add element",
                             "ct count", "forward_others", "$"}) {
    EXPECT_THAT(ruleset, Not(HasSubstr(absent)));
  }
}

// One is compared with: a packet that is not for it costs no lookup.
TEST(RulesetTest, BlocksOneDestinationWithoutASet) {
  const std::string ruleset = RenderRuleset({.bridge = Name("svbr0"),
                                             .prefix = Prefix("172.30.0.0/24"),
                                             .blocked_destinations = {Prefix("169.254.0.0/16")}},
                                            kBridge, {});
  EXPECT_THAT(ruleset, HasSubstr("ip daddr 169.254.0.0/16 counter name blocked_destination drop"));
  EXPECT_THAT(ruleset, Not(HasSubstr("set blocked")));
}

// A guest more is elements more, and never a rule.
TEST(RulesetTest, HasNoMoreRulesForAThousandGuests) {
  const RulesetSpec spec = {.bridge = Name("svbr0"), .prefix = Prefix("10.0.0.0/8")};
  const auto lines_without_elements = [&](int guests) {
    std::vector<Binding> bindings;
    for (int i = 0; i < guests; ++i) {
      bindings.push_back({.ifindex = i + 5,
                          .mac = Mac("02:00:00:00:00:07"),
                          .ip = Ipv4Address(0x0a000002 + i),
                          .zone = 1});
    }
    const std::string ruleset = RenderRuleset(spec, kBridge, bindings);
    return ruleset.substr(0, ruleset.find("add element"));
  };
  EXPECT_EQ(lines_without_elements(1), lines_without_elements(1000));
}

TEST(RulesetTest, ElementsAreAsTheKernelHoldsThem) {
  const Binding binding = {
      .ifindex = 7, .mac = Mac("02:29:a3:2f:41:c8"), .ip = Ip("172.30.0.2"), .zone = 5, .owner = 5};
  const std::string seven("\7\0\0\0", 4), five("\5\0\0\0", 4);
  const std::string mac("\x02\x29\xa3\x2f\x41\xc8\0\0", 8);
  EXPECT_THAT(ElementsOf(binding, LocalAccess::kOwner),
              ElementsAre(NftElement{.set = "macs", .key = seven + mac},
                          NftElement{.set = "addresses",
                                     .key = seven + mac + std::string("\xac\x1e\0\2", 4)},
                          NftElement{.set = "zone_of", .key = seven, .data = five},
                          NftElement{.set = "zones", .key = seven + five},
                          NftElement{.family = NftElement::Family::kInet,
                                     .set = "owner_of",
                                     .key = std::string("\xac\x1e\0\2", 4),
                                     .data = five},
                          NftElement{.family = NftElement::Family::kInet,
                                     .set = "local_users",
                                     .key = std::string("\xac\x1e\0\2", 4) + five}));
}

TEST(ShortenNftErrorTest, LeavesOutTheCommandsThatItRepeats) {
  EXPECT_EQ(ShortenNftError("/dev/stdin:2:1-9: Error: Could not process rule: Operation not "
                            "permitted\ndelete table inet x\n^^^^^^^^^\n"),
            "Could not process rule: Operation not permitted");
  EXPECT_EQ(ShortenNftError("netlink: Error: cache initialization failed: Operation not permitted"),
            "cache initialization failed: Operation not permitted");
  EXPECT_NE(ShortenNftError(""), "");
}

}  // namespace
}  // namespace svnet
