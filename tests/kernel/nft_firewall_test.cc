// NftFirewall on the real kernel.
#include "daemon/firewall/nft_firewall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "daemon/base/unique_fd.h"
#include "tests/sandbox/sandbox.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Shell;

class NftFirewallTest : public ::testing::Test {
 protected:
  NftFirewallTest() {
    testing::EnterFreshNetworkNamespace();
    firewall_ = NftFirewall::Open({.bridge = LinkName::Parse("svbr0").value(),
                                   .prefix = Ipv4Prefix::Parse("172.30.0.0/24").value(),
                                   .link_group = 100,
                                   .guest_connections = 7,
                                   .owner_connections = std::nullopt,
                                   .local_access = LocalAccess::kOwner,
                                   .admin_gids = {27}})
                    .value();
  }

  absl::Status Apply(const std::vector<Binding>& bindings = {}) {
    return firewall().Apply({.ifindex = 1, .mac = MacAddress({0xc2, 0, 0, 0, 0, 1})}, bindings,
                            OtherForwarding::kAsItIs);
  }

  NftFirewall& firewall() { return *firewall_; }

 private:
  std::unique_ptr<NftFirewall> firewall_;
};

TEST_F(NftFirewallTest, AppliesTheWholeRuleset) {
  ASSERT_TRUE(Apply().ok());
  const std::string rules = Shell("nft list ruleset");
  EXPECT_THAT(rules,
              HasSubstr("ip saddr 172.30.0.0/24 oifname != { \"lo\", \"svbr0\" } masquerade"));
  EXPECT_THAT(rules, HasSubstr("oif \"lo\" goto to_guest"));
  EXPECT_THAT(rules, HasSubstr("counter name \"unasked\" drop"));
}

TEST_F(NftFirewallTest, AppliedTwiceIsTheSameRuleset) {
  ASSERT_TRUE(Apply().ok());
  const std::string once = Shell("nft list ruleset");
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(Shell("nft list ruleset"), once);
}

TEST_F(NftFirewallTest, KnowsWhenSomebodyElseChangesItsRules) {
  const Binding binding = {.ifindex = 7,
                           .mac = MacAddress({2, 0, 0, 0, 0, 7}),
                           .ip = Ipv4Address(0xac1e0002),
                           .zone = 1};
  for (const char* change :
       {"nft add rule inet svnet-svbr0 forward accept", "nft flush ruleset",
        "nft delete table bridge svnet-svbr0", "nft delete table inet svnet-svbr0",
        "nft delete table arp svnet-svbr0", "nft flush set bridge svnet-svbr0 macs",
        "nft 'add element bridge svnet-svbr0 macs { 9 . 02:00:00:00:00:09 }'"}) {
    ASSERT_TRUE(Apply().ok());
    ASSERT_TRUE(firewall().Bind(binding).ok());
    EXPECT_FALSE(*firewall().WereChanged()) << "by itself";
    Shell(change);
    EXPECT_TRUE(*firewall().WereChanged()) << change;
    EXPECT_FALSE(*firewall().WereChanged()) << "twice";
  }
}

TEST_F(NftFirewallTest, WhatOthersDoElsewhereIsNoChange) {
  ASSERT_TRUE(Apply().ok());
  EXPECT_FALSE(*firewall().WereChanged());
  Shell("nft add table inet others; nft add table ip svnet-svbr0; nft add table inet svnet-svbr00");
  EXPECT_FALSE(*firewall().WereChanged());
  EXPECT_TRUE(*firewall().Remove());
  EXPECT_FALSE(*firewall().WereChanged());
}

TEST_F(NftFirewallTest, BindsAndUnbindsAndBothMayBeRepeated) {
  const Binding first = {.ifindex = 7,
                         .mac = MacAddress({2, 0, 0, 0, 0, 7}),
                         .ip = Ipv4Address(0xac1e0002),
                         .zone = 4294967294};
  Binding second = first;
  second.ifindex = 8;
  second.ip = Ipv4Address(0xac1e0003);
  second.zone = 0;
  EXPECT_FALSE(firewall().Bind(first).ok());  // the rules do not stand
  EXPECT_TRUE(firewall().Unbind(first).ok());
  ASSERT_TRUE(Apply({first}).ok());
  const std::string only_first = Shell("nft list ruleset");
  EXPECT_THAT(only_first, HasSubstr("7 . 02:00:00:00:00:07 . 172.30.0.2"));
  EXPECT_THAT(only_first, HasSubstr("7 : 0xfffffffe"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(firewall().Bind(second).ok());
  EXPECT_NE(Shell("nft list ruleset"), only_first);
  EXPECT_FALSE(*firewall().WereChanged());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(firewall().Unbind(second).ok());
  EXPECT_EQ(Shell("nft list ruleset"), only_first);
}

TEST_F(NftFirewallTest, ReadsItsCountersAndNobodyElses) {
  EXPECT_TRUE(firewall().ReadDrops()->empty());  // there are no rules
  ASSERT_TRUE(Apply().ok());
  std::vector<std::string> causes;
  const std::vector<DropCount> none = *firewall().ReadDrops();
  for (const DropCount& drops : none) {
    causes.push_back(drops.cause);
    EXPECT_EQ(drops.packets, 0u);
  }
  EXPECT_THAT(causes,
              ::testing::UnorderedElementsAre(
                  "foreign_mac", "foreign_protocol", "foreign_arp", "foreign_address",
                  "dhcp_server", "foreign_zone", "past_the_bridge", "blocked_destination",
                  "between_guests", "unasked", "host_denied", "foreign_destination",
                  "foreign_receiver", "spoofed_source", "loopback_destination", "loopback_to_host",
                  "guest_connections", "other_forwarding", "local_denied", "owner_connections"));
  Shell(
      "nft 'add counter inet svnet-svbr0 more { packets 7 bytes 4294967296 }';"
      "nft 'add table ip svnet-svbr0; add counter ip svnet-svbr0 others {}';"
      "nft 'add table inet svnet-svbr00; add counter inet svnet-svbr00 others {}'");
  const std::vector<DropCount> drops = *firewall().ReadDrops();
  EXPECT_EQ(drops.size(), causes.size() + 1);
  EXPECT_THAT(drops, ::testing::Contains(
                         DropCount{.cause = "more", .packets = 7, .bytes = uint64_t{1} << 32}));
}

// It is known to whoever comes later, and can be taken away alone.
TEST_F(NftFirewallTest, OpensOtherForwardingAndLeavesTheRest) {
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
  ASSERT_TRUE(Apply().ok());
  const std::string open = Shell("nft list ruleset");
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
  ASSERT_TRUE(firewall()
                  .Apply({.ifindex = 1, .mac = MacAddress({0xc2, 0, 0, 0, 0, 1})}, {},
                         OtherForwarding::kClosed)
                  .ok());
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kClosed);
  EXPECT_NE(Shell("nft list ruleset"), open);
  ASSERT_TRUE(firewall().OpenOtherForwarding().ok());
  EXPECT_EQ(*firewall().ReadOtherForwarding(), OtherForwarding::kAsItIs);
  EXPECT_EQ(Shell("nft list ruleset"), open);
  EXPECT_FALSE(*firewall().WereChanged());
  EXPECT_FALSE(firewall().OpenOtherForwarding().ok());  // there is none
}

// The elements that are added to the rules are those that they would be made with.
TEST_F(NftFirewallTest, WhatIsBoundIsWhatIsApplied) {
  const Binding binding = {.ifindex = 4711,
                           .mac = MacAddress({2, 0x29, 0xa3, 0x2f, 0x41, 0xc8}),
                           .ip = Ipv4Address(0xac1e0002),
                           .zone = 100'000,
                           .owner = 100'000};
  ASSERT_TRUE(Apply({binding}).ok());
  const std::string applied = Shell("nft list ruleset");
  ASSERT_TRUE(Apply().ok());
  EXPECT_NE(Shell("nft list ruleset"), applied);
  ASSERT_TRUE(firewall().Bind(binding).ok());
  EXPECT_EQ(Shell("nft list ruleset"), applied);
}

TEST_F(NftFirewallTest, ABindingThatTheKernelRefusesChangesNothing) {
  const Binding binding = {.ifindex = 7,
                           .mac = MacAddress({2, 0, 0, 0, 0, 7}),
                           .ip = Ipv4Address(0xac1e0002),
                           .zone = 1};
  ASSERT_TRUE(Apply().ok());
  Shell(
      "nft delete rule bridge svnet-svbr0 between_guests handle $(nft -a list chain bridge "
      "svnet-svbr0 between_guests | sed -n 's/.*@zones.*handle //p'); "
      "nft delete set bridge svnet-svbr0 zones");
  const std::string before = Shell("nft list ruleset");
  const absl::Status refused = firewall().Bind(binding);
  EXPECT_TRUE(absl::IsNotFound(refused)) << refused;
  EXPECT_EQ(Shell("nft list ruleset"), before);
}

TEST_F(NftFirewallTest, TakesAwayItsOwnRulesAndNobodyElses) {
  Shell(
      "nft add table inet others; nft add chain inet others forward;"
      "nft add table ip svnet-svbr0; nft add table inet svnet-svbr00");
  const std::string before = Shell("nft list ruleset");
  EXPECT_FALSE(*firewall().Remove());
  ASSERT_TRUE(Apply().ok());
  EXPECT_NE(Shell("nft list ruleset"), before);
  EXPECT_TRUE(*firewall().Remove());
  EXPECT_EQ(Shell("nft list ruleset"), before);
}

// A table that belongs to another process (nft: `flags owner`), so that the kernel
// refuses to have it replaced.
TEST_F(NftFirewallTest, RefusedSaysTheKernelsWordsInOneLineAndChangesNothing) {
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
  const std::string before = Shell("nft list ruleset");
  ASSERT_THAT(before, HasSubstr("svnet-svbr0"));

  const absl::Status status = Apply();
  EXPECT_THAT(std::string(status.message()), HasSubstr("Operation not permitted"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
  EXPECT_LT(status.message().size(), 300u);
  EXPECT_EQ(Shell("nft list ruleset"), before);

  to_owner.Reset();  // the owner reads the end of its input, and goes
  int exit_status = 0;
  EXPECT_EQ(waitpid(owner, &exit_status, 0), owner);
}

}  // namespace
}  // namespace svnet
