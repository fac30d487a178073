// The alias codec, and what becomes of TAPs that an earlier svnetd left.
#include "daemon/network/alias.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "daemon/network/adoption.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using testing::Iface;
using testing::Ip;
using testing::Mac;
using testing::Name;
using testing::Prefix;
using testing::Vm;

constexpr char kText[] =
    "svnet1 bridge=svbr0 vm=vm1 iface=eth0 ip=172.30.0.2 mac=02:29:a3:2f:41:c8 queues=1 "
    "lifetime=persistent";

Alias Vm1() {
  return {.bridge = Name("svbr0"),
          .vm = Vm("vm1"),
          .iface = Iface("eth0"),
          .ip = Ip("172.30.0.2"),
          .mac = Mac("02:29:a3:2f:41:c8")};
}

TEST(AliasTest, IsOneLineThatParsesBack) {
  EXPECT_EQ(FormatAlias(Vm1()), kText);
  EXPECT_EQ(*ParseAlias(kText), Vm1());
}

TEST(AliasTest, TheLongestFitsTheKernel) {
  const Alias longest = {.bridge = Name(std::string(15, 'b')),
                         .vm = Vm(std::string(64, 'v')),
                         .iface = Iface(std::string(32, 'i')),
                         .ip = Ip("255.255.255.255"),
                         .mac = Mac("ff:ff:ff:ff:ff:ff"),
                         .queues = 256};
  EXPECT_LE(FormatAlias(longest).size(), 255u);
  EXPECT_EQ(*ParseAlias(FormatAlias(longest)), longest);
}

TEST(AliasTest, NothingThatOnlyResemblesIt) {
  const auto with = [](absl::string_view from, absl::string_view to) {
    const std::string changed = absl::StrReplaceAll(kText, {{from, to}});
    EXPECT_NE(changed, kText) << from;
    return changed;
  };
  for (const std::string& text : {std::string(),
                                  std::string("svnet1"),
                                  std::string("svnet1 "),
                                  std::string("backup link"),
                                  with("svnet1", "svnet2"),
                                  with("svnet1", "svnet1 "),
                                  with("vm=vm1", "vm="),
                                  with("vm=vm1", "vm=%d"),
                                  with("vm=vm1 ", ""),
                                  with("172.30.0.2", "172.30.0.02"),
                                  with("172.30.0.2", "172.30.0"),
                                  with("c8", "C8"),
                                  with(":c8", ""),
                                  with("queues=1", "queues=0"),
                                  with("queues=1", "queues=+1"),
                                  with("queues=1", "queues=01"),
                                  with("queues=1", "queues=257"),
                                  with("queues=1", "queues=99999999999"),
                                  with("persistent", "eternal"),
                                  with("persistent", "persistent "),
                                  with("vm=vm1", "vm=vm1 vm=vm2"),
                                  std::string(kText) + "\n",
                                  std::string(kText, 10)}) {
    EXPECT_FALSE(ParseAlias(text).ok()) << text;
  }
}

TEST(AliasTest, KnowsWhoseItWasMeantToBe) {
  EXPECT_TRUE(IsAliasOf(kText, Name("svbr0")));
  EXPECT_TRUE(IsAliasOf("svnet2 bridge=svbr0 what=ever", Name("svbr0")));
  EXPECT_FALSE(IsAliasOf(kText, Name("svbr1")));
  EXPECT_FALSE(IsAliasOf(kText, Name("svbr")));
  EXPECT_FALSE(IsAliasOf("", Name("svbr0")));
  EXPECT_FALSE(IsAliasOf("bridge=svbr0", Name("svbr0")));
}

Link TapOf(const std::string& name, const Alias& alias) {
  return {.ifindex = 7,
          .name = name,
          .kind = LinkKind::kTap,
          .alias = FormatAlias(alias),
          .mtu = 1400,
          .carrier = true,
          .owner = 1000,
          .persistent = true};
}

Adoption AdoptAll(const std::vector<Link>& links) {
  return Adopt(links, Name("svbr0"), Prefix("172.30.0.0/24"));
}

TEST(AdoptionTest, ALeaseIsReadBack) {
  const Adoption adoption = AdoptAll({TapOf("svvm1eth0", Vm1())});
  ASSERT_EQ(adoption.leases.size(), 1u);
  EXPECT_TRUE(adoption.conditions.empty());
  const Lease& lease = adoption.leases[0];
  EXPECT_EQ(lease.key, (LeaseKey{.owner = 1000, .vm = Vm("vm1"), .iface = Iface("eth0")}));
  EXPECT_EQ(lease.tap, Name("svvm1eth0"));
  EXPECT_EQ(lease.ifindex, 7);
  EXPECT_EQ(lease.ip, Ip("172.30.0.2"));
  EXPECT_EQ(lease.mtu, 1400u);
  EXPECT_TRUE(lease.attached);
}

TEST(AdoptionTest, ForeignLinksAreNotEvenMentioned) {
  Link other_network = TapOf("svvm1eth0", Vm1());
  other_network.alias = absl::StrReplaceAll(kText, {{"svbr0", "svbr1"}});
  Link no_alias = TapOf("tap0", Vm1());
  no_alias.alias.clear();
  Link no_tap = TapOf("eth0", Vm1());
  no_tap.kind = LinkKind::kOther;
  const Adoption adoption = AdoptAll({other_network, no_alias, no_tap});
  EXPECT_TRUE(adoption.leases.empty());
  EXPECT_TRUE(adoption.conditions.empty());
}

TEST(AdoptionTest, WhatCannotBeIsLeftAloneAndSaidWhy) {
  const auto why = [](const std::function<void(Link*)>& spoil) {
    Link link = TapOf("svvm1eth0", Vm1());
    spoil(&link);
    const Adoption adoption = AdoptAll({link});
    EXPECT_TRUE(adoption.leases.empty());
    EXPECT_EQ(adoption.conditions.size(), 1u);
    return adoption.conditions.empty() ? "" : adoption.conditions[0].message;
  };
  EXPECT_THAT(why([](Link* link) { link->persistent = false; }), HasSubstr("never finished"));
  EXPECT_THAT(why([](Link* link) { link->owner.reset(); }), HasSubstr("no owner"));
  EXPECT_THAT(why([](Link* link) { link->alias += " x"; }), HasSubstr("exact form"));
  EXPECT_THAT(why([](Link* link) { link->alias[5] = '9'; }), HasSubstr("svnet1"));
  EXPECT_THAT(
      why([](Link* link) {
        link->alias = absl::StrReplaceAll(link->alias, {{"ip=172.30.0.2", "ip=172.30.0.1"}});
      }),
      HasSubstr("172.30.0.1"));
  EXPECT_THAT(why([](Link* link) {
                link->alias = absl::StrReplaceAll(link->alias, {{"ip=172.30.0.2", "ip=10.0.0.2"}});
              }),
              HasSubstr("10.0.0.2"));
  // Another's text in the log and on terminals is escaped.
  EXPECT_THAT(why([](Link* link) { link->name = "a\x1b[2J"; }), HasSubstr("a\\x1b[2J"));
}

TEST(AdoptionTest, OfTwoThatContradictTheFirstIsTaken) {
  Alias other_ip = Vm1();
  other_ip.ip = Ip("172.30.0.3");
  other_ip.mac = Mac("02:00:00:00:00:01");
  Alias same_ip = Vm1();
  same_ip.vm = Vm("vm2");
  same_ip.mac = Mac("02:00:00:00:00:02");
  Alias same_mac = Vm1();
  same_mac.vm = Vm("vm3");
  same_mac.ip = Ip("172.30.0.9");
  const Adoption adoption = AdoptAll({TapOf("tap0", Vm1()), TapOf("tap1", other_ip),
                                      TapOf("tap2", same_ip), TapOf("tap3", same_mac)});
  ASSERT_EQ(adoption.leases.size(), 1u);
  EXPECT_EQ(adoption.leases[0].tap, Name("tap0"));
  EXPECT_EQ(adoption.conditions.size(), 3u);
}

}  // namespace
}  // namespace svnet
