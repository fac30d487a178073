// NftFirewall on the real kernel.
#include "daemon/firewall/nft_firewall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"
#include "daemon/netlink/netlink_listener.h"
#include "tests/eventually.h"
#include "tests/sandbox/sandbox.h"

namespace svnet {

// For the names of tests.
static void PrintTo(NftFirewall::Tables tables, std::ostream* out) {
  *out << (tables == NftFirewall::Tables::kPlain ? "Older" : "Persistent");
}

namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::RulesTable;
using testing::Shell;

using Tables = NftFirewall::Tables;

const GuestBridge kBridge = {.ifindex = 1, .mac = MacAddress({0xc2, 0, 0, 0, 0, 1})};

LinkName Svbr0() { return LinkName::Parse("svbr0").value(); }

RulesetSpec Spec() {
  RulesetSpec spec = SpecOf({.bridge = Svbr0(),
                             .prefix = Ipv4Prefix::Parse("172.30.0.0/24").value(),
                             .link_group = 100,
                             .local_access = LocalAccess::kOwner});
  spec.guest_connections = 7;
  spec.owner_connections = std::nullopt;
  spec.admin_gids = {27};
  return spec;
}

std::vector<NetworkGuests> Guests(const std::vector<Binding>& bindings = {}) {
  return {{.bridge = kBridge, .bindings = bindings}};
}

Binding Guest(int ifindex) {
  return {.ifindex = ifindex,
          .mac = MacAddress({2, 0, 0, 0, 0, static_cast<uint8_t>(ifindex)}),
          .ip = Ipv4Address(0xac1e0000 + static_cast<uint32_t>(ifindex)),
          .zone = 1};
}

// The rules, by `filter` at last; of svnetd's tables it does not matter whose turn it is, and
// whether they are owned.
std::string Rules(const std::string& filter = "cat") {
  return Shell(
      "nft list ruleset | "
      "sed -E 's|^(table .* svnet-svbr0)/[ab] \\{.*|\\1 {|; /^\\tflags (owner)?$/d; /^$/d' | " +
      filter);
}

std::string ListTables() { return Shell("nft list tables"); }

// What is the same with persistent tables and without.
class NftFirewallTest : public ::testing::TestWithParam<Tables> {
 protected:
  NftFirewallTest() {
    testing::EnterFreshNetworkNamespace();
    Restart();
  }

  void SetUp() override {
    static const bool has_persistent = HasPersistentTables();
    if (GetParam() != Tables::kPlain && !has_persistent) {
      GTEST_SKIP() << "this kernel has no persistent tables (6.9)";
    }
  }

  void Restart() {
    firewall_.reset();
    firewall_ = NftFirewall::Open(Svbr0(), Spec(), GetParam()).value();
  }

  absl::Status Apply(const std::vector<Binding>& bindings = {}) {
    return firewall().Apply(Guests(bindings), OtherForwarding::kAsItIs);
  }

  void CloseFirewall() { firewall_.reset(); }

  NftFirewall& firewall() { return *firewall_; }

 private:
  bool HasPersistentTables() {
    EXPECT_TRUE(Apply().ok());
    const bool has = RulesTable() != "svnet-svbr0";
    testing::EnterFreshNetworkNamespace();
    Restart();
    return has;
  }

  std::unique_ptr<NftFirewall> firewall_;
};
INSTANTIATE_TEST_SUITE_P(Kernels, NftFirewallTest,
                         ::testing::Values(Tables::kPersistentIfPossible, Tables::kPlain),
                         ::testing::PrintToStringParamName());

TEST_P(NftFirewallTest, AppliesTheWholeRuleset) {
  ASSERT_TRUE(Apply().ok());
  const std::string rules = Rules();
  EXPECT_THAT(rules,
              HasSubstr("ip saddr 172.30.0.0/24 oifname != { \"lo\", \"svbr0\" } masquerade"));
  EXPECT_THAT(rules, HasSubstr("oif \"lo\" goto to_guest"));
  EXPECT_THAT(rules, HasSubstr("counter name \"unasked\" drop"));
}

TEST_P(NftFirewallTest, AppliedTwiceIsTheSameRuleset) {
  ASSERT_TRUE(Apply().ok());
  const std::string once = Rules();
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(Rules(), once);
}

TEST_P(NftFirewallTest, KnowsWhenAnotherProgramChangesItsRules) {
  for (const char* change :
       {"add rule inet TABLE forward accept", "flush ruleset", "delete table bridge TABLE",
        "delete table inet TABLE", "delete table arp TABLE", "flush set bridge TABLE macs",
        "add element bridge TABLE macs { 9 . 02:00:00:00:00:09 }"}) {
    ASSERT_TRUE(Apply().ok());
    ASSERT_TRUE(firewall().Bind(NetworkName(), Guest(7)).ok());
    EXPECT_FALSE(*firewall().WereChanged()) << "by itself";
    const std::string before = Rules();
    const std::string command = absl::StrReplaceAll(change, {{"TABLE", RulesTable()}});
    const int exit_code = testing::ShellExitCode("nft '" + command + "'");
    if (GetParam() == Tables::kPlain) {
      EXPECT_EQ(exit_code, 0) << command;
      EXPECT_TRUE(*firewall().WereChanged()) << command;
      EXPECT_FALSE(*firewall().WereChanged()) << "twice";
    } else {
      EXPECT_EQ(exit_code == 0, command == "flush ruleset") << command;
      EXPECT_FALSE(*firewall().WereChanged()) << command;
      EXPECT_EQ(Rules(), before) << command;
    }
  }
}

TEST_P(NftFirewallTest, WhatOthersDoElsewhereIsNoChange) {
  ASSERT_TRUE(Apply().ok());
  EXPECT_FALSE(*firewall().WereChanged());
  Shell("nft add table inet others; nft add table ip svnet-svbr0; nft add table inet svnet-svbr00");
  EXPECT_FALSE(*firewall().WereChanged());
  EXPECT_TRUE(*firewall().Remove());
  EXPECT_FALSE(*firewall().WereChanged());
}

TEST_P(NftFirewallTest, ItsDescriptorIsReadableOnceOthersHaveChangedSomething) {
  ASSERT_TRUE(Apply().ok());
  for (const char* change : {"add table inet others", "delete table inet others"}) {
    pollfd readable = {.fd = firewall().changes_fd(), .events = POLLIN, .revents = 0};
    // It may still be so for what was done here.
    for (int i = 0; i < 3 && poll(&readable, 1, 0) > 0; ++i) {
      EXPECT_FALSE(*firewall().WereChanged());
    }
    EXPECT_FALSE(firewall().OthersWereChanged());
    Shell(absl::StrCat("nft ", change));
    ASSERT_EQ(poll(&readable, 1, 10'000), 1) << change;
    EXPECT_FALSE(*firewall().WereChanged());
    EXPECT_TRUE(firewall().OthersWereChanged());
  }
}

TEST_P(NftFirewallTest, BindsAndUnbindsAndBothMayBeRepeated) {
  const Binding first = {.ifindex = 7,
                         .mac = MacAddress({2, 0, 0, 0, 0, 7}),
                         .ip = Ipv4Address(0xac1e0002),
                         .zone = 4294967294};
  Binding second = first;
  second.ifindex = 8;
  second.ip = Ipv4Address(0xac1e0003);
  second.zone = 0;
  EXPECT_FALSE(firewall().Bind(NetworkName(), first).ok());  // the rules do not stand
  EXPECT_TRUE(firewall().Unbind(NetworkName(), first).ok());
  ASSERT_TRUE(Apply({first}).ok());
  const std::string only_first = Rules();
  EXPECT_THAT(only_first, HasSubstr("7 . 02:00:00:00:00:07 . 172.30.0.2"));
  EXPECT_THAT(only_first, HasSubstr("7 : 0xfffffffe"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(firewall().Bind(NetworkName(), second).ok());
  EXPECT_NE(Rules(), only_first);
  EXPECT_FALSE(*firewall().WereChanged());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(firewall().Unbind(NetworkName(), second).ok());
  EXPECT_EQ(Rules(), only_first);
}

TEST_P(NftFirewallTest, PreferredSourcesAreTheSameWhetherSetOrApplied) {
  const std::map<Ifindex, Ipv4Address> sources = {{1, Ipv4Address(0xc0000207)}};
  ASSERT_TRUE(Apply().ok());
  ASSERT_TRUE(firewall().SetPreferredSources(sources).ok());
  const std::string set = Rules();
  EXPECT_THAT(set, HasSubstr("elements = { \"lo\" : 192.0.2.7 }"));
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(Rules(), set);
  ASSERT_TRUE(firewall().SetPreferredSources({}).ok());
  EXPECT_THAT(Rules(), Not(HasSubstr("192.0.2.7")));
}

TEST_P(NftFirewallTest, ReadsItsCountersAndNobodyElses) {
  EXPECT_TRUE(firewall().ReadDrops(NetworkName())->empty());  // there are no rules
  ASSERT_TRUE(Apply().ok());
  std::vector<std::string> causes;
  const std::vector<DropCount> none = *firewall().ReadDrops(NetworkName());
  for (const DropCount& drops : none) {
    causes.push_back(drops.cause);
    EXPECT_EQ(drops.packets, 0u);
  }
  EXPECT_THAT(causes, ::testing::UnorderedElementsAre(
                          "foreign_mac", "foreign_protocol", "foreign_arp", "foreign_address",
                          "dhcp_server", "foreign_zone", "past_the_bridge", "blocked_destination",
                          "between_guests", "unasked", "host_denied", "foreign_destination",
                          "foreign_receiver", "spoofed_source", "loopback_destination",
                          "loopback_to_host", "guest_connections", "other_forwarding",
                          "local_denied", "owner_connections", "announcement"));
  Shell(
      "nft 'add table ip svnet-svbr0/a; add counter ip svnet-svbr0/a others {}';"
      "nft 'add table inet svnet-svbr00; add counter inet svnet-svbr00 others {}'");
  const std::vector<DropCount> drops = *firewall().ReadDrops(NetworkName());
  EXPECT_EQ(drops, none);
}

// It is known to whoever comes later, and can be taken away alone.
TEST_P(NftFirewallTest, OpensOtherForwardingAndLeavesTheRest) {
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
  ASSERT_TRUE(Apply().ok());
  const std::string open = Rules();
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
  ASSERT_TRUE(firewall().Apply(Guests(), OtherForwarding::kClosed).ok());
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kClosed);
  EXPECT_NE(Rules(), open);
  const std::string rest = Rules("sed '/chain forward_others {/,/}/ { /accept$/d; /drop$/d }'");
  ASSERT_TRUE(firewall().OpenOtherForwarding().ok());
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
  EXPECT_EQ(Rules(), rest);
  EXPECT_FALSE(*firewall().WereChanged());
  EXPECT_TRUE(absl::IsNotFound(firewall().OpenOtherForwarding()));  // it is open
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(Rules(), open);
}

// The elements that are added to the rules are those that they would be made with.
TEST_P(NftFirewallTest, WhatIsBoundIsWhatIsApplied) {
  const Binding binding = {.ifindex = 4711,
                           .mac = MacAddress({2, 0x29, 0xa3, 0x2f, 0x41, 0xc8}),
                           .ip = Ipv4Address(0xac1e0002),
                           .zone = 100'000,
                           .owner = 100'000};
  ASSERT_TRUE(Apply({binding}).ok());
  const std::string applied = Rules();
  ASSERT_TRUE(Apply().ok());
  EXPECT_NE(Rules(), applied);
  ASSERT_TRUE(firewall().Bind(NetworkName(), binding).ok());
  EXPECT_EQ(Rules(), applied);
}

// Of several networks, in the same tables.
class SeveralNetworksTest : public ::testing::TestWithParam<Tables> {
 protected:
  SeveralNetworksTest() {
    testing::EnterFreshNetworkNamespace();
    RulesetNetwork red = {.name = red_name_,
                          .kind = NetworkKind::kRouted,
                          .bridge = LinkName::Parse("svbr1").value(),
                          .prefix = Ipv4Prefix::Parse("10.9.0.0/24").value(),
                          .link_group = 0x45670000,
                          .retired_groups = 32};
    RulesetSpec spec = Spec();
    spec.networks.emplace(red_name_, red);
    firewall_ = NftFirewall::Open(Svbr0(), spec, GetParam()).value();
    EXPECT_TRUE(firewall().Apply(both_, OtherForwarding::kClosed).ok());
  }

  NftFirewall& firewall() { return *firewall_; }

  const NetworkName red_name_ = NetworkName::Parse("red").value();
  const NetworkGuests default_ = {.bridge = kBridge, .bindings = {Guest(7)}};
  const NetworkGuests red_ = {.name = red_name_,
                              .bridge = {.ifindex = 2, .mac = MacAddress({0xc2, 0, 0, 0, 0, 2})},
                              .bindings = {}};
  const std::vector<NetworkGuests> both_ = {default_, red_};

 private:
  std::unique_ptr<NftFirewall> firewall_;
};
INSTANTIATE_TEST_SUITE_P(Tables, SeveralNetworksTest,
                         ::testing::Values(Tables::kPersistentIfPossible, Tables::kPlain),
                         [](const auto& each) {
                           return each.param == Tables::kPlain ? "Plain" : "Persistent";
                         });

// What they share is there already. It takes no second transaction: the first would have failed,
// and then the kernel waits for all processors, 14 ms.
TEST_P(SeveralNetworksTest, GuestsThatComeOneAfterTheOtherDeleteNothing) {
  NetlinkListener listener =
      NetlinkListener::Open(NETLINK_NETFILTER, std::vector<int>{NFNLGRP_NFTABLES}, 1 << 20).value();
  for (const int ifindex : {17, 18, 19}) {
    Binding binding = Guest(ifindex);
    binding.owner = 1000;
    ASSERT_TRUE(firewall().Bind(red_name_, binding).ok());
  }
  int added = 0;
  int deleted = 0;
  EXPECT_FALSE(*listener.Take([&](const NetlinkReader& message) {
    added += message.type() == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM) ? 1 : 0;
    deleted += message.type() == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM) ? 1 : 0;
  }));
  EXPECT_GT(added, 3);
  EXPECT_EQ(deleted, 0);
}

TEST_P(SeveralNetworksTest, EachHasItsOwnChainsAndCounters) {
  const std::string rules = Rules();
  EXPECT_THAT(rules, HasSubstr("goto from_guest"));
  EXPECT_THAT(rules, HasSubstr("goto red/from_guest"));
  const auto causes = [&](const NetworkName& network) {
    const std::vector<DropCount> drops = firewall().ReadDrops(network).value();
    std::set<std::string> names;
    for (const DropCount& each : drops) names.insert(each.cause);
    return names;
  };
  const std::set<std::string> of_default = causes(NetworkName());
  EXPECT_TRUE(of_default.contains("foreign_mac"));
  EXPECT_TRUE(of_default.contains("other_forwarding"));
  EXPECT_TRUE(of_default.contains("between_networks"));
  const std::set<std::string> of_red = causes(red_name_);
  EXPECT_FALSE(of_red.contains("foreign_mac"));  // it has no MACs to check
  EXPECT_TRUE(of_red.contains("foreign_address"));
  EXPECT_FALSE(of_red.contains("other_forwarding"));
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kClosed);
}

TEST_P(SeveralNetworksTest, ABindingMoreIsWhatApplyWouldHaveMadeOfIt) {
  const Binding guest = {.ifindex = 9,
                         .mac = MacAddress({2, 0, 0, 0, 0, 9}),
                         .ip = Ipv4Address(0x0a090002),
                         .zone = 0x45670040,
                         .owner = 1000};
  const std::string without = Rules();
  ASSERT_TRUE(firewall().Bind(red_name_, guest).ok());
  const std::string bound = Rules();
  EXPECT_NE(bound, without);
  NetworkGuests red = red_;
  red.bindings = {guest};
  ASSERT_TRUE(firewall().Apply({default_, red}, OtherForwarding::kClosed).ok());
  EXPECT_EQ(Rules(), bound);
  ASSERT_TRUE(firewall().Unbind(red_name_, guest).ok());
  ASSERT_TRUE(firewall().Bind(NetworkName(), Guest(8)).ok());
}

TEST_P(SeveralNetworksTest, OneThatIsNotServedHasNoRules) {
  ASSERT_TRUE(firewall().Apply({default_}, OtherForwarding::kAsItIs).ok());
  EXPECT_THAT(Rules(), Not(HasSubstr("red/")));
  EXPECT_THAT(Rules(), HasSubstr("iif \"lo\" goto from_guest"));
  EXPECT_TRUE(firewall().ReadDrops(red_name_)->empty());
}

// A set of the rules is gone: possible only where others can change them.
class OlderKernelTest : public NftFirewallTest {};
INSTANTIATE_TEST_SUITE_P(Kernels, OlderKernelTest, ::testing::Values(Tables::kPlain),
                         ::testing::PrintToStringParamName());

TEST_P(OlderKernelTest, ABindingThatTheKernelRefusesChangesNothing) {
  ASSERT_TRUE(Apply().ok());
  Shell(
      "nft delete rule bridge svnet-svbr0 between_guests handle $(nft -a list chain bridge "
      "svnet-svbr0 between_guests | sed -n 's/.*@zones.*handle //p'); "
      "nft delete set bridge svnet-svbr0 zones");
  const std::string before = Rules();
  const absl::Status refused = firewall().Bind(NetworkName(), Guest(7));
  EXPECT_TRUE(absl::IsNotFound(refused)) << refused;
  EXPECT_EQ(Rules(), before);
}

// One that is not a kernel's answer, but svnetd's choice: the tables are what they were.
TEST_P(OlderKernelTest, TablesHaveTheNameThatTheyAlwaysHad) {
  ASSERT_TRUE(Apply().ok());
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(ListTables(),
            "table inet svnet-svbr0\ntable bridge svnet-svbr0\ntable arp svnet-svbr0\n");
}

// svnetd is killed, or the kernel refuses a step, while tables are replaced.
TEST_P(NftFirewallTest, AtEachStepAWholeRulesetIsInForce) {
  const std::vector<std::string> steps =
      GetParam() == Tables::kPlain
          ? std::vector<std::string>{"rules.plain:1", "rules.accept:1", "rules.delete:1",
                                     "rules.plain:2", "rules.accept:2", "rules.delete:2"}
          : std::vector<std::string>{"rules.own:1", "rules.fill:1", "rules.accept:1",
                                     "rules.delete:1"};
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  const std::string before = Rules();
  // Chains that do not accept all packets first.
  const auto are_in_force = [] {
    return absl::StrContains(Rules(), "policy accept;\n\t\tiif \"lo\" goto from_guest");
  };
  ASSERT_TRUE(are_in_force());
  for (const std::string& step : steps) {
    for (const char* effect : {":fail", ":die"}) {
      CloseFirewall();
      const pid_t other = fork();
      if (other == 0) {
        Restart();
        setenv("SVNET_FAULT", (step + effect).c_str(), 1);
        const bool failed = !Apply({Guest(7)}).ok();
        unsetenv("SVNET_FAULT");
        const bool bound = firewall().Bind(NetworkName(), Guest(8)).ok() &&
                           firewall().Unbind(NetworkName(), Guest(8)).ok();
        _exit(failed && bound ? 0 : 1);
      }
      int exit_status = -1;
      ASSERT_EQ(waitpid(other, &exit_status, 0), other);
      EXPECT_TRUE(exit_status == 0 || WIFSIGNALED(exit_status)) << step << effect;
      EXPECT_TRUE(are_in_force()) << step << effect;
      Restart();
      ASSERT_TRUE(firewall().Bind(NetworkName(), Guest(8)).ok()) << step << effect;
      ASSERT_TRUE(Apply({Guest(7)}).ok()) << step << effect;
      EXPECT_EQ(Rules(), before) << step << effect;
    }
  }
}

class PersistentTablesTest : public NftFirewallTest {};
INSTANTIATE_TEST_SUITE_P(Kernels, PersistentTablesTest,
                         ::testing::Values(Tables::kPersistentIfPossible),
                         ::testing::PrintToStringParamName());

TEST_P(PersistentTablesTest, AreReplacedByThoseOfTheOtherName) {
  ASSERT_TRUE(Apply().ok());
  const std::string first = ListTables();
  EXPECT_THAT(first, HasSubstr("table bridge svnet-svbr0/a\n"));
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(ListTables(), absl::StrReplaceAll(first, {{"/a\n", "/b\n"}}));
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(ListTables(), first);
}

TEST_P(PersistentTablesTest, OutliveTheirOwnerAndAreTakenOver) {
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  const std::string before = Rules();
  for (int i = 0; i < 3; ++i) {
    Restart();
    EXPECT_EQ(Rules(), before);
    Shell("nft flush ruleset");
    EXPECT_EQ(Rules(), before) << "owned again";
    EXPECT_FALSE(*firewall().WereChanged());
  }
  ASSERT_TRUE(firewall().Bind(NetworkName(), Guest(8)).ok());
  ASSERT_TRUE(firewall().Unbind(NetworkName(), Guest(8)).ok());
  EXPECT_EQ(Rules(), before);
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  EXPECT_EQ(Rules(), before);
}

// Or the kernel would need 8 KiB for each element that any program loads.
TEST_P(PersistentTablesTest, NobodyListensToChanges) {
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  // Of NETLINK_NETFILTER: the groups.
  EXPECT_EQ(Shell("awk '$2 == 12 { print $4 }' /proc/net/netlink | sort -u"), "00000000\n");
}

TEST_P(PersistentTablesTest, AreMadeAgainAfterAFlushWhileTheyHadNoOwner) {
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  const std::string before = Rules();
  CloseFirewall();
  Shell("nft flush ruleset");
  EXPECT_EQ(Rules(), "");
  Restart();
  EXPECT_FALSE(*firewall().Stand());
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  EXPECT_EQ(Rules(), before);
}

// So that other programs can list and change them while svnetd is stopped.
TEST_P(PersistentTablesTest, DisownedArePlainOnesWithTheSameRules) {
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  const std::string before = Rules();
  const std::string owned = ListTables();
  ASSERT_TRUE(firewall().Disown(Guests({Guest(7)}), OtherForwarding::kAsItIs).ok());
  CloseFirewall();
  EXPECT_EQ(ListTables(),
            "table inet svnet-svbr0\ntable bridge svnet-svbr0\ntable arp svnet-svbr0\n");
  EXPECT_EQ(Rules(), before);
  EXPECT_THAT(Shell("nft list ruleset"), Not(HasSubstr("flags owner")));
  EXPECT_THAT(Shell("nft -j list ruleset"), Not(HasSubstr("\"flags\": \"owner")));
  Restart();
  EXPECT_EQ(Rules(), before);
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  EXPECT_EQ(Rules(), before);
  EXPECT_EQ(ListTables(), owned);
}

// As an earlier version has left them.
TEST_P(PersistentTablesTest, ReplaceTheTablesOfAnEarlierVersion) {
  std::unique_ptr<NftFirewall> earlier = NftFirewall::Open(Svbr0(), Spec(), Tables::kPlain).value();
  ASSERT_TRUE(earlier->Apply(Guests({Guest(7)}), OtherForwarding::kClosed).ok());
  earlier.reset();
  const std::string before = Rules();
  Restart();
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kClosed);
  EXPECT_TRUE(*firewall().Stand());
  ASSERT_TRUE(firewall().Apply(Guests({Guest(7)}), OtherForwarding::kClosed).ok());
  EXPECT_EQ(Rules(), before);
  EXPECT_THAT(ListTables(), Not(HasSubstr("svnet-svbr0\n")));
}

// A svnetd that died before it filled them leaves empty ones beside those in force.
TEST_P(PersistentTablesTest, EmptyOnesAreNotTakenForThoseInForce) {
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  const std::string before = Rules();
  CloseFirewall();
  Shell("nft add table inet svnet-svbr0/b; nft add table arp svnet-svbr0/b");
  Restart();
  ASSERT_TRUE(firewall().Bind(NetworkName(), Guest(8)).ok());
  ASSERT_TRUE(firewall().Unbind(NetworkName(), Guest(8)).ok());
  ASSERT_TRUE(Apply({Guest(7)}).ok());
  EXPECT_EQ(Rules(), before);
  EXPECT_THAT(ListTables(), Not(HasSubstr("svnet-svbr0/a\n")));
}

TEST_P(PersistentTablesTest, AnybodyMayDeleteThoseThatHaveNoOwner) {
  ASSERT_TRUE(Apply().ok());
  EXPECT_NE(testing::ShellExitCode("nft delete table inet " + RulesTable()), 0);
  CloseFirewall();
  EXPECT_EQ(testing::ShellExitCode("nft delete table inet " + RulesTable()), 0);
}

// What others have in their sets costs nothing: libnftables took seconds to read it.
TEST_P(NftFirewallTest, DoesNotReadTheSetsOfOthers) {
  Shell(
      "(echo 'table inet blocklist { set bad { type ipv4_addr; elements = {'; "
      "awk 'BEGIN { for (i = 0; i < 300000; i++) printf \"%d.%d.%d.%d, \", 1 + int(i / 65536), "
      "int(i / 256) % 256, i % 256, 1 }'; "
      "echo '} }; chain c { type filter hook input priority 0; ip saddr @bad drop; }; }') | nft -f "
      "-");
  const absl::Time start = absl::Now();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Apply({Guest(7)}).ok());
  ASSERT_TRUE(firewall().Bind(NetworkName(), Guest(8)).ok());
  EXPECT_TRUE(*firewall().Stand());
  EXPECT_FALSE(firewall().ReadDrops(NetworkName())->empty());
  EXPECT_TRUE(*firewall().Remove());
  EXPECT_LT(absl::Now() - start, absl::Seconds(2));
}

// A reload of another firewall is no reason to fail.
TEST_P(NftFirewallTest, AppliesWhileOthersChangeTheirs) {
  const pid_t other = fork();
  if (other == 0) {
    setpgid(0, 0);
    execlp("bash", "bash", "-c",
           "while :; do echo 'add table ip theirs; add chain ip theirs c; add set ip theirs s "
           "{ type ipv4_addr; }; delete table ip theirs'; done | nft -i >/dev/null 2>&1",
           nullptr);
    _exit(1);
  }
  const absl::Cleanup end = [other] {
    kill(-other, SIGKILL);
    waitpid(other, nullptr, 0);
  };
  ASSERT_TRUE(testing::Eventually([&] {
    EXPECT_TRUE(firewall().WereChanged().ok());
    return firewall().OthersWereChanged();
  }));
  for (int i = 0; i < 50; ++i) {
    const absl::Status status = Apply({Guest(7)});
    EXPECT_TRUE(status.ok()) << i << status;
  }
}

TEST_P(NftFirewallTest, TakesAwayItsOwnRulesAndNobodyElses) {
  Shell(
      "nft add table inet others; nft add chain inet others forward;"
      "nft add table ip svnet-svbr0; nft add table inet svnet-svbr00");
  const std::string before = Rules();
  EXPECT_FALSE(*firewall().Remove());
  ASSERT_TRUE(Apply().ok());
  EXPECT_NE(Rules(), before);
  EXPECT_TRUE(*firewall().Remove());
  EXPECT_EQ(Rules(), before);
}

// A table that belongs to another process (nft: `flags owner`), so that the kernel
// refuses to have it replaced.
TEST_P(NftFirewallTest, RefusedSaysTheKernelsWordsInOneLineAndChangesNothing) {
  int in[2];
  int out[2];
  ASSERT_EQ(pipe(in), 0);
  ASSERT_EQ(pipe(out), 0);
  const pid_t owner = fork();
  if (owner == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
    execlp("nft", "nft", "-i", nullptr);
    _exit(1);
  }
  close(in[0]);
  close(out[1]);
  UniqueFd to_owner(in[1]);
  const UniqueFd from_owner(out[0]);
  const std::string commands =
      "add table inet svnet-svbr0 { flags owner; }\nlist tables\nlist nothing\n";
  ASSERT_EQ(write(to_owner.get(), commands.data(), commands.size()),
            static_cast<ssize_t>(commands.size()));
  std::string answer;
  char c;
  while (answer.find("table inet svnet-svbr0") == std::string::npos &&
         read(from_owner.get(), &c, 1) == 1) {
    answer += c;
  }
  const std::string before = Rules();
  ASSERT_THAT(before, HasSubstr("svnet-svbr0"));

  const absl::Status status = Apply();
  EXPECT_THAT(std::string(status.message()), HasSubstr("Operation not permitted"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
  EXPECT_LT(status.message().size(), 300u);
  EXPECT_EQ(Rules(), before);

  to_owner.Reset();  // the owner reads the end of its input, and goes
  int exit_status = 0;
  EXPECT_EQ(waitpid(owner, &exit_status, 0), owner);
}

}  // namespace
}  // namespace svnet
