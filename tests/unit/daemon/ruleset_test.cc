#include "daemon/ruleset/ruleset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "daemon/firewall/nft_commands.h"
#include "daemon/firewall/rule_tables.h"
#include "daemon/ruleset/ruleset_part.h"
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

// Every option that adds a rule is on.
RulesetNetwork FullNetwork(NetworkKind kind) {
  return {.kind = kind,
          .bridge = Name("br-vm.1"),
          .prefix = Prefix("10.1.2.64/26"),
          .link_group = kind == NetworkKind::kBridge ? 100u : 0x45670000,
          .retired_groups = 32,
          .host_access = false,
          .host_ports = {{HostPort::Protocol::kUdp, 53}, {HostPort::Protocol::kTcp, 8080}},
          .blocked_destinations = {Prefix("169.254.0.0/16"), Prefix("10.0.0.0/8")},
          .local_access = LocalAccess::kOwner};
}

RulesetSpec FullSpec(const RulesetNetwork& network) {
  RulesetSpec spec = SpecOf(network);
  spec.guest_connections = 4096;
  spec.owner_connections = 32768;
  spec.others = OtherForwarding::kClosed;
  spec.admin_gids = {27, 100};
  return spec;
}

RulesetSpec FullSpec(NetworkKind kind) { return FullSpec(FullNetwork(kind)); }

std::vector<NetworkGuests> Guests(const std::vector<Binding>& bindings = {}) {
  return {{.bridge = kBridge, .bindings = bindings}};
}

const Binding kBinding = {.ifindex = 7,
                          .mac = Mac("02:00:00:00:00:07"),
                          .ip = Ip("10.1.2.66"),
                          .zone = 4294967294,
                          .owner = 100'000};

// Only routed networks have guests with a view.
std::vector<Binding> BindingsOf(NetworkKind kind) {
  if (kind == NetworkKind::kBridge) return {kBinding};
  Binding clone = kBinding;
  clone.ifindex = 8;
  clone.ip = Ip("10.1.2.67");
  clone.zone = 4294967293;
  clone.owner = 100'001;
  clone.view = GuestView::Parse("10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02").value();
  return {kBinding, clone};
}

std::string NameOf(NetworkKind kind) { return kind == NetworkKind::kBridge ? "bridge" : "routed"; }

std::string GoldenText(absl::string_view name) {
  std::ifstream file(absl::StrCat(SVNET_GOLDEN_RULESETS, "/", name, ".nft"));
  std::ostringstream golden;
  golden << file.rdbuf();
  return golden.str();
}

std::string Golden(NetworkKind kind, absl::string_view name) {
  return GoldenText(absl::StrCat(NameOf(kind), "/", name));
}

class RulesetOfKindTest : public ::testing::TestWithParam<NetworkKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, RulesetOfKindTest,
                         ::testing::Values(NetworkKind::kBridge, NetworkKind::kRouted),
                         [](const auto& each) { return NameOf(each.param); });

// The whole policy, as a reader should see it.
TEST_P(RulesetOfKindTest, IsTheGoldenText) {
  EXPECT_EQ(RenderRuleset(FullSpec(GetParam()), Guests(BindingsOf(GetParam())), "svnet-br-vm.1"),
            Golden(GetParam(), "whole"));
}

class RulesetPartTest
    : public ::testing::TestWithParam<std::tuple<const RulesetPart*, NetworkKind>> {
 protected:
  static const RulesetPart& part() { return *std::get<0>(GetParam()); }
  static NetworkKind kind() { return std::get<1>(GetParam()); }
  // What it has for all networks, and for the one.
  static std::map<std::string, std::string> Texts() {
    const RulesetNetwork network = FullNetwork(kind());
    const RulesetSpec spec = FullSpec(network);
    const RulesetContext context = {
        .spec = spec, .networks = {{.network = &network, .bridge = kBridge}}, .views = true};
    RulesetSlots slots;
    if (part().render_shared != nullptr) part().render_shared(context, &slots);
    if (part().render != nullptr) part().render(network, context, &slots);
    return slots.texts();
  }
};
INSTANTIATE_TEST_SUITE_P(Parts, RulesetPartTest,
                         ::testing::Combine(::testing::ValuesIn(RulesetParts()),
                                            ::testing::Values(NetworkKind::kBridge,
                                                              NetworkKind::kRouted)),
                         [](const auto& each) {
                           return absl::StrCat(std::get<0>(each.param)->name, "_",
                                               NameOf(std::get<1>(each.param)));
                         });

// What it has for each place, and what a guest adds to its sets.
TEST_P(RulesetPartTest, IsItsGoldenText) {
  std::string text;
  for (const auto& [slot, lines] : Texts()) absl::StrAppend(&text, "%", slot, "\n", lines);
  std::vector<NftElement> elements;
  for (const Binding& binding : BindingsOf(kind())) {
    if (part().add_elements == nullptr) continue;
    part().add_elements(binding, FullNetwork(kind()), &elements);
  }
  for (const NftElement& element : elements) {
    absl::StrAppend(&text, "element ", element.set, " { ", element.Text(), " }\n");
  }
  elements.clear();
  for (const Binding& binding : BindingsOf(kind())) {
    if (part().add_lasting_elements == nullptr) continue;
    part().add_lasting_elements(binding, FullNetwork(kind()), &elements);
  }
  for (const NftElement& element : elements) {
    absl::StrAppend(&text, "lasting element ", element.set, " { ", element.Text(), " }\n");
  }
  EXPECT_EQ(text, Golden(kind(), part().name));
}

// A part that is rendered for a place that the tables do not have would be lost.
TEST_P(RulesetPartTest, IsInTheWhole) {
  // Sets are empty in one, and what is there for views in the other.
  std::string whole;
  for (const std::vector<Binding>& bindings : {std::vector<Binding>(), BindingsOf(kind())}) {
    absl::StrAppend(&whole, RenderRuleset(FullSpec(kind()), Guests(bindings), "svnet-br-vm.1"));
  }
  for (const auto& [slot, lines] : Texts()) {
    for (const absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipWhitespace())) {
      if (line[0] == '%') continue;
      // What follows the last of what differs from network to network.
      const absl::string_view rest = line.substr(line.find_last_of("$~") + 1);
      EXPECT_THAT(whole, HasSubstr(rest.substr(rest.find(' ') + 1))) << slot;
    }
  }
}

TEST(RulesetTest, WithoutOptionsLeavesTheirRulesOut) {
  const std::string ruleset = RenderRuleset(
      SpecOf({.bridge = Name("svbr0"), .prefix = Prefix("172.30.0.0/24"), .link_group = 100}),
      Guests(), "svnet-svbr0");
  for (const char* absent : {"@blocked", "set blocked", "host_denied drop", "elements", "ct count",
                             "forward_others", "$", "~", "%", "between_networks"}) {
    EXPECT_THAT(ruleset, Not(HasSubstr(absent)));
  }
}

// One is compared with: a packet that is not for it costs no lookup.
TEST(RulesetTest, BlocksOneDestinationWithoutASet) {
  const std::string ruleset =
      RenderRuleset(SpecOf({.bridge = Name("svbr0"),
                            .prefix = Prefix("172.30.0.0/24"),
                            .blocked_destinations = {Prefix("169.254.0.0/16")}}),
                    Guests(), "svnet-svbr0");
  EXPECT_THAT(ruleset, HasSubstr("ip daddr 169.254.0.0/16 ip daddr != 172.30.0.0/24 counter name"));
  EXPECT_THAT(ruleset, Not(HasSubstr("set blocked")));
}

// The hook for what goes to TAPs is there only if a guest has a view.
TEST(RulesetTest, CostsNothingForViewsWhileNobodyHasOne) {
  const RulesetSpec spec = FullSpec(NetworkKind::kRouted);
  const std::string without = RenderRuleset(spec, Guests({kBinding}), "svnet-br-vm.1");
  const std::string with =
      RenderRuleset(spec, Guests(BindingsOf(NetworkKind::kRouted)), "svnet-br-vm.1");
  for (const char* rule : {"hook postrouting priority 300", "arp saddr ip set oif",
                           "ip saddr 10.1.2.64/26 iif . ip saddr @sources"}) {
    EXPECT_THAT(without, Not(HasSubstr(rule)));
    EXPECT_THAT(with, HasSubstr(rule));
  }
}

// Only of these is it looked up whether what they send to another guest is for their gateway.
TEST(RulesetTest, KnowsGuestsWhoseGatewayHasTheAddressOfAnother) {
  const RulesetNetwork network = FullNetwork(NetworkKind::kRouted);
  for (const auto& [gateway, is_near] : std::map<std::string, bool>{
           {"10.1.2.65", false}, {"10.1.2.66", true}, {"10.1.2.126", true}, {"10.1.2.1", false}}) {
    Binding clone = BindingsOf(NetworkKind::kRouted)[1];
    clone.view->gateway = Ip(gateway);
    std::set<std::string> maps;
    for (const NftElement& element : ElementsOf(clone, network)) {
      if (element.family == NftElement::Family::kInet) maps.insert(std::string(element.set));
    }
    EXPECT_EQ(maps.contains("near_view_sources"), is_near) << gateway;
    EXPECT_EQ(maps.contains("view_sources"), !is_near) << gateway;
  }
}

// A packet is led to its own network's chains by one lookup.
TEST(RulesetTest, OfSeveralNetworksIsTheGoldenText) {
  const RulesetNetwork bridge = FullNetwork(NetworkKind::kBridge);
  RulesetSpec spec = FullSpec(bridge);
  const auto add = [&](const std::string& name, RulesetNetwork network) {
    network.name = NetworkName::Parse(name).value();
    network.bridge = Name("br-" + name);
    spec.networks.emplace(network.name, network);
    return network.name;
  };
  RulesetNetwork red = bridge;
  red.prefix = Prefix("10.9.0.0/16");
  red.link_group = 200;
  red.blocked_destinations = {Prefix("169.254.0.0/16")};
  red.local_access = LocalAccess::kAll;
  RulesetNetwork blue = FullNetwork(NetworkKind::kRouted);
  blue.prefix = Prefix("10.200.0.0/16");
  RulesetNetwork green = blue;
  green.prefix = Prefix("10.201.0.0/16");
  green.link_group = 0x45680000;
  green.host_access = true;
  green.peers = {NetworkName::Parse("blue").value()};
  blue.peers = {NetworkName::Parse("green").value(), NetworkName()};
  const NetworkName names[] = {NetworkName(), add("red", red), add("blue", blue),
                               add("green", green)};
  std::vector<NetworkGuests> guests;
  int ifindex = 3;
  for (const NetworkName& name : names) {
    guests.push_back({.name = name, .bridge = {.ifindex = ifindex++, .mac = kBridge.mac}});
  }
  guests[0].bindings = {kBinding};
  guests[2].bindings = {BindingsOf(NetworkKind::kRouted)[1]};
  guests[3].bindings = {{.ifindex = 8,
                         .mac = Mac("02:00:00:00:00:08"),
                         .ip = Ip("10.201.0.2"),
                         .zone = 0x45680040,
                         .owner = 7}};
  const std::string text = RenderRuleset(spec, guests, "svnet-br-vm.1");
  EXPECT_EQ(text, GoldenText("several"));
  EXPECT_THAT(text, Not(HasSubstr("~")));
  EXPECT_THAT(text, Not(HasSubstr("$")));
  EXPECT_THAT(text, Not(HasSubstr("%")));
}

// A link whose route prefers an address is an element more, and never a rule.
TEST(RulesetTest, HasThePreferredSourcesInTheirMap) {
  RulesetSpec spec = FullSpec(NetworkKind::kBridge);
  const std::string without = RenderRuleset(spec, Guests(), "svnet-br-vm.1");
  spec.preferred_sources = {{4, Ip("192.0.2.7")}, {9, Ip("100.64.0.1")}};
  const std::string with = RenderRuleset(spec, Guests(), "svnet-br-vm.1");
  EXPECT_THAT(with, HasSubstr("elements = { 4 : 192.0.2.7, 9 : 100.64.0.1 }"));
  EXPECT_EQ(std::count(with.begin(), with.end(), '\n'),
            std::count(without.begin(), without.end(), '\n'));
}

// A guest more is elements more, and never a rule.
TEST(RulesetTest, HasNoMoreRulesForAThousandGuests) {
  const RulesetSpec spec = SpecOf({.bridge = Name("svbr0"), .prefix = Prefix("10.0.0.0/8")});
  const auto lines = [&](int guests) {
    std::vector<Binding> bindings;
    for (int i = 0; i < guests; ++i) {
      bindings.push_back({.ifindex = i + 5,
                          .mac = Mac("02:00:00:00:00:07"),
                          .ip = Ipv4Address(0x0a000002 + i),
                          .zone = 1});
    }
    const std::string ruleset = RenderRuleset(spec, Guests(bindings), "svnet-svbr0");
    return std::count(ruleset.begin(), ruleset.end(), '\n');
  };
  EXPECT_EQ(lines(1), lines(1000));
}

TEST(NftElementTest, IsTextForNftAndBytesForTheKernel) {
  const std::vector<NftElement> elements = ElementsOf({.ifindex = 7,
                                                       .mac = Mac("02:29:a3:2f:41:c8"),
                                                       .ip = Ip("172.30.0.2"),
                                                       .zone = 5,
                                                       .owner = 0x12345},
                                                      {.bridge = Name("svbr0"),
                                                       .prefix = Prefix("172.30.0.0/24"),
                                                       .local_access = LocalAccess::kOwner});
  const std::string seven("\7\0\0\0", 4), five("\5\0\0\0", 4), owner("\x45\x23\1\0", 4);
  const std::string mac("\x02\x29\xa3\x2f\x41\xc8\0\0", 8), address("\xac\x1e\0\2", 4);
  std::vector<std::string> texts, keys, data;
  for (const NftElement& element : elements) {
    texts.push_back(absl::StrCat(element.set, " ", element.Text()));
    keys.push_back(element.KeyBytes());
    data.push_back(element.DataBytes());
  }
  EXPECT_THAT(texts, ElementsAre("macs 7 . 02:29:a3:2f:41:c8",
                                 "addresses 7 . 02:29:a3:2f:41:c8 . 172.30.0.2", "zone_of 7 : 5",
                                 "zones 7 . 5", "local_users 172.30.0.2 . 74565",
                                 "owner_of 172.30.0.2 : 1:2345"));
  EXPECT_THAT(keys, ElementsAre(seven + mac, seven + mac + address, seven, seven + five,
                                address + owner, address));
  EXPECT_THAT(data, ElementsAre("", "", five, "", "", owner));
}

NftTableInfo Table(const std::string& name, uint32_t use, uint64_t handle) {
  return {.family = 7, .name = name, .flags = 0, .use = use, .handle = handle, .owner = 0};
}

TEST(RuleTablesTest, TheNewestThatHaveChainsAreInForce) {
  const NftTableInfo older = Table("svnet-svbr0/b", 9, 1);
  const NftTableInfo full = Table("svnet-svbr0", 9, 2);
  const NftTableInfo unfilled = Table("svnet-svbr0/a", 0, 3);
  EXPECT_EQ(NameInForce({}, "svnet-svbr0"), "svnet-svbr0");
  EXPECT_EQ(NameInForce({unfilled}, "svnet-svbr0"), "svnet-svbr0/a");
  EXPECT_EQ(NameInForce({older, full, unfilled}, ""), "svnet-svbr0");
  EXPECT_EQ(NameInForce({unfilled, full, older}, ""), "svnet-svbr0");
}

// But not those of an owner, that only it can delete.
TEST(RuleTablesTest, TablesMayBeGoneBeforeTheyAreDeleted) {
  NftTableInfo owned = Table("svnet-svbr0/a", 9, 1);
  owned.flags = NftTableInfo::kOwner | NftTableInfo::kPersist;
  const NftTableInfo plain = Table("svnet-svbr0", 9, 2);
  EXPECT_EQ(RenderDeletion(TablesNotNamed({owned, plain}, plain.name)),
            "delete table bridge svnet-svbr0/a\n");
  EXPECT_EQ(RenderDeletion(TablesNamed({owned, plain}, plain.name)),
            "add table bridge svnet-svbr0\ndelete table bridge svnet-svbr0\n");
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
