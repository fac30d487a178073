// The alias codec, and what becomes of TAPs that an earlier svnetd left.
#include "daemon/lease/alias.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "daemon/lease/adoption.h"
#include "daemon/lease/alias_v1.h"
#include "daemon/lease/names.h"
#include "daemon/network/authorizer.h"
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
    "svnet2 n=default v=vm1 i=eth0 a=ac1e0002 m=0229a32f41c8 q=1 o=rs t=tro8w0 e=1";
constexpr char kTextV1[] =
    "svnet1 bridge=svbr0 vm=vm1 iface=eth0 ip=172.30.0.2 mac=02:29:a3:2f:41:c8 queues=1 "
    "lifetime=persistent";

constexpr uint32_t kGroup = 100;

LeaseSpec Vm1() {
  return {.key = {.owner = 1000, .vm = Vm("vm1"), .iface = Iface("eth0")},
          .tap = Name("svvm1eth0"),
          .ip = Ip("172.30.0.2"),
          .mac = Mac("02:29:a3:2f:41:c8"),
          .create_time = 1800000000};
}

absl::StatusOr<LeaseSpec> Parsed(absl::string_view text) {
  return ParseAlias(Name("svvm1eth0"), text);
}

// A text with something else in it.
std::string With(absl::string_view text, absl::string_view from, absl::string_view to) {
  const std::string changed = absl::StrReplaceAll(text, {{from, to}});
  EXPECT_NE(changed, text) << from;
  return changed;
}

TEST(AliasTest, IsOneLineThatParsesBack) {
  EXPECT_EQ(FormatAlias(Vm1()), kText);
  EXPECT_EQ(*Parsed(kText), Vm1());
}

TEST(AliasTest, HasAllThatWasGranted) {
  LeaseSpec alias = Vm1();
  alias.queues = 256;
  alias.key.owner = 0;
  alias.group = 4294967294;
  alias.generation = 37;
  alias.lifetime = BoundToProcess{.pid = 4711, .start_time = 123456789};
  EXPECT_EQ(FormatAlias(alias),
            "svnet2 n=default v=vm1 i=eth0 a=ac1e0002 m=0229a32f41c8 q=74 o=0 g=1z141z2 "
            "l=p3mv:21i3v9 t=tro8w0 e=11");
  EXPECT_EQ(*Parsed(FormatAlias(alias)), alias);
  alias.lifetime = UntilDetached{.grace = absl::Seconds(10)};
  EXPECT_THAT(FormatAlias(alias), HasSubstr(" l=d7ps "));
  EXPECT_EQ(*Parsed(FormatAlias(alias)), alias);
}

TEST(AliasTest, NamesTheTextOfASpec) {
  LeaseSpec alias = Vm1();
  alias.text_digest = "ungWv48Bz-pBQUD";
  EXPECT_EQ(FormatAlias(alias), absl::StrCat(kText, " s=ungWv48Bz-pBQUD"));
  EXPECT_EQ(*Parsed(FormatAlias(alias)), alias);
  EXPECT_EQ(TextDigestIn(FormatAlias(alias)), "ungWv48Bz-pBQUD");
  // Of another network, or of a later version.
  EXPECT_EQ(TextDigestIn("svnet2 n=other v=vm1 s=ungWv48Bz-pBQUD"), "ungWv48Bz-pBQUD");
  EXPECT_EQ(TextDigestIn("svnet9 s=ungWv48Bz-pBQUD x=y"), "ungWv48Bz-pBQUD");
  for (const char* text : {kText, kTextV1, "", "a s=ungWv48Bz-pBQUD", "svnet2 s=ungWv48Bz-pBQU"}) {
    EXPECT_EQ(TextDigestIn(text), "") << text;
  }
}

// With the longest name of a network that there may be.
TEST(AliasTest, LongestFitsTheKernel) {
  const LeaseSpec longest = {
      .key = {.owner = 4294967295,
              .vm = Vm(std::string(64, 'v')),
              .iface = Iface(std::string(32, 'i'))},
      .tap = Name("svvm1eth0"),
      .ip = Ip("255.255.255.255"),
      .mac = Mac("ff:ff:ff:ff:ff:ff"),
      .queues = 256,
      .group = 4294967295,
      .lifetime = BoundToProcess{.pid = 4194304, .start_time = UINT64_MAX},
      .create_time = 78364164095,
      .generation = UINT32_MAX,
      .text_digest = std::string(15, 's'),
  };
  const std::string text = FormatAlias(longest);
  EXPECT_EQ(*Parsed(text), longest);
  const std::string network(15, 'n');
  EXPECT_EQ(With(text, "n=default", "n=" + network).size(), 238u);
}

TEST(AliasTest, RefusesWhatOnlyResemblesIt) {
  const auto with = [](absl::string_view from, absl::string_view to) {
    return With(kText, from, to);
  };
  for (const std::string& text : {std::string(),
                                  std::string("svnet2"),
                                  std::string("svnet2 "),
                                  std::string("backup link"),
                                  std::string(kTextV1),
                                  with("svnet2", "svnet3"),
                                  with("svnet2", "svnet2 "),
                                  with("n=default", "n=No-Name"),
                                  with("v=vm1", "v="),
                                  with("v=vm1", "v=%d"),
                                  with("v=vm1 ", ""),
                                  with("ac1e0002", "AC1E0002"),
                                  with("ac1e0002", "ac1e000"),
                                  with("ac1e0002", "ac1e00022"),
                                  with("ac1e0002", "ac1e000g"),
                                  with("c8", "C8"),
                                  with("c8 ", " "),
                                  with("q=1", "q=0"),
                                  with("q=1", "q=+1"),
                                  with("q=1", "q=01"),
                                  with("q=1", "q=75"),
                                  with("q=1", "q=zzzzzzzzzzzzzzzzzzzz"),
                                  with("o=rs", "o="),
                                  with("o=rs", "o=RS"),
                                  with("o=rs", "o=1z141z4"),
                                  with("o=rs", "o=rs g="),
                                  with("o=rs", "o=rs l=p1"),
                                  with("o=rs", "o=rs l=p0:1"),
                                  with("o=rs", "o=rs l=d"),
                                  with("o=rs", "o=rs l=d255s1"),
                                  with("o=rs", "o=rs l=persistent"),
                                  with("o=rs", "o=rs l=d1 g=1"),
                                  with("o=rs ", "o=rs o=rs "),
                                  with(" t=tro8w0", ""),
                                  with("e=1", "e=0"),
                                  with("e=1", "e=1z141z4"),
                                  with("e=1", "e=1 "),
                                  with("e=1", "e=1 s="),
                                  with("e=1", "e=1 s=abcdefghijklmn"),
                                  with("e=1", "e=1 s=abcdefghijklmnop"),
                                  with("e=1", "e=1 s=abcdefghijklm/o"),
                                  with(" e=1", " s=abcdefghijklmno e=1"),
                                  with("e=1", "e=1 s=abcdefghijklmno s=abcdefghijklmno"),
                                  std::string(kText) + "\n",
                                  std::string(kText, 10)}) {
    EXPECT_FALSE(Parsed(text).ok()) << text;
  }
}

TEST(AliasTest, KnowsWhatWasMeantToBeOne) {
  EXPECT_TRUE(IsAlias(kText));
  EXPECT_TRUE(IsAlias("svnet3 n=default what=ever"));
  EXPECT_TRUE(IsAlias("svnet2 n=other v=vm1"));
  EXPECT_FALSE(IsAlias("svnet2 n=No v=vm1"));
  EXPECT_TRUE(IsAliasOf(kText, NetworkName()));
  EXPECT_FALSE(IsAliasOf("svnet2 n=other v=vm1", NetworkName()));
  EXPECT_TRUE(IsAliasOf("svnet2 n=other v=vm1", NetworkName::Parse("other").value()));
  EXPECT_FALSE(IsAlias("svnet n=default v=vm1"));
  EXPECT_FALSE(IsAlias("svnetx n=default v=vm1"));
  EXPECT_FALSE(IsAlias(kTextV1));
  EXPECT_FALSE(IsAlias(""));
  EXPECT_FALSE(IsAlias("n=default"));
}

// Aliases that svnetd has once written must parse for ever.
TEST(AliasV1Test, ParsesWhatEarlierVersionsWrote) {
  const AliasV1 vm1 = {.bridge = Name("svbr0"),
                       .vm = Vm("vm1"),
                       .iface = Iface("eth0"),
                       .ip = Ip("172.30.0.2"),
                       .mac = Mac("02:29:a3:2f:41:c8")};
  EXPECT_EQ(*ParseAliasV1(kTextV1), vm1);
  AliasV1 bound = vm1;
  bound.queues = 4;
  bound.lifetime = BoundToProcess{.pid = 4711, .start_time = 123456789};
  EXPECT_EQ(*ParseAliasV1(With(With(kTextV1, "queues=1", "queues=4"), "persistent",
                               "process:4711:123456789")),
            bound);
  bound.lifetime = UntilDetached{.grace = absl::Seconds(5)};
  EXPECT_EQ(
      *ParseAliasV1(With(With(kTextV1, "queues=1", "queues=4"), "persistent", "detached:5000")),
      bound);
}

TEST(AliasV1Test, RefusesWhatOnlyResemblesIt) {
  const auto with = [](absl::string_view from, absl::string_view to) {
    return With(kTextV1, from, to);
  };
  for (const std::string& text :
       {std::string(), std::string("svnet1"), with("svnet1", "svnet2"), with("svnet1", "svnet1 "),
        with("vm=vm1", "vm="), with("vm=vm1 ", ""), with("172.30.0.2", "172.30.0.02"),
        with("c8", "C8"), with("queues=1", "queues=0"), with("queues=1", "queues=+1"),
        with("queues=1", "queues=257"), with("persistent", "eternal"),
        with("persistent", "persistent "), with("vm=vm1", "vm=vm1 vm=vm2"),
        std::string(kTextV1) + "\n"}) {
    EXPECT_FALSE(ParseAliasV1(text).ok()) << text;
  }
  EXPECT_TRUE(IsAliasV1(kTextV1, Name("svbr0")));
  EXPECT_FALSE(IsAliasV1(kTextV1, Name("svbr1")));
  EXPECT_FALSE(IsAliasV1(kTextV1, Name("svbr")));
  EXPECT_FALSE(IsAliasV1(kText, Name("svbr0")));
}

Link TapOf(const std::string& name, const LeaseSpec& spec) {
  return {.ifindex = 7,
          .name = name,
          .kind = LinkKind::kTap,
          .alias = FormatAlias(spec),
          .mac = kTapMac,
          .mtu = 1400,
          .group = kGroup,
          .carrier = true,
          .owner = spec.key.owner,
          .persistent = true};
}

TapPlan Network() {
  return {.bridge_name = Name("svbr0"),
          .bridge = 3,
          .group = kGroup,
          .mac = kTapMac,
          .isolated = false};
}

Adoption AdoptAll(const std::vector<Link>& links) {
  return Adopt(links, Network(), Prefix("172.30.0.0/24"), [](const auto&) { return std::nullopt; });
}

TEST(AdoptionTest, ALeaseIsReadBack) {
  const Adoption adoption = AdoptAll({TapOf("svvm1eth0", Vm1())});
  ASSERT_EQ(adoption.leases.size(), 1u);
  EXPECT_TRUE(adoption.conditions.empty());
  const Lease& lease = adoption.leases[0];
  EXPECT_EQ(lease.spec.key, (LeaseKey{.owner = 1000, .vm = Vm("vm1"), .iface = Iface("eth0")}));
  EXPECT_EQ(lease.spec.tap, Name("svvm1eth0"));
  EXPECT_EQ(lease.state.ifindex, 7);
  EXPECT_EQ(lease.spec.ip, Ip("172.30.0.2"));
  EXPECT_EQ(lease.state.mtu, 1400u);
  EXPECT_EQ(lease.spec.create_time, 1800000000);
  EXPECT_TRUE(lease.state.attached);
}

TEST(AdoptionTest, TapsOfAnEarlierVersionAreTakenWithTheOwnerThatTheyHave) {
  Link link = TapOf("svvm1eth0", Vm1());
  link.alias = kTextV1;
  link.mac = Mac("ea:00:00:00:00:01");
  link.owner = 1001;
  link.group_gid = 50;
  link.group = 0;
  const Adoption adoption = AdoptAll({link});
  ASSERT_EQ(adoption.leases.size(), 1u);
  EXPECT_TRUE(adoption.tampered.empty());
  EXPECT_EQ(adoption.leases[0].spec.key.owner, 1001u);
  EXPECT_EQ(adoption.leases[0].spec.group, 50u);
}

TEST(AdoptionTest, ForeignLinksAreNotEvenMentioned) {
  Link other_network = TapOf("svvm1eth0", Vm1());
  other_network.alias = With(kTextV1, "svbr0", "svbr1");
  Link other_svnetd = TapOf("svvm1eth0", Vm1());
  other_svnetd.group = 500;
  other_svnetd.master = 9;
  Link no_alias = TapOf("tap0", Vm1());
  no_alias.alias.clear();
  Link no_tap = TapOf("eth0", Vm1());
  no_tap.kind = LinkKind::kOther;
  const Adoption adoption = AdoptAll({other_network, other_svnetd, no_alias, no_tap});
  EXPECT_TRUE(adoption.leases.empty());
  EXPECT_TRUE(adoption.tampered.empty());
  EXPECT_TRUE(adoption.conditions.empty());
}

TEST(AdoptionTest, ATapThatLeftItsLinkGroupIsKnownByItsBridge) {
  Link link = TapOf("svvm1eth0", Vm1());
  link.group = 0;
  link.master = 3;
  EXPECT_EQ(AdoptAll({link}).leases.size(), 1u);
}

TEST(AdoptionTest, ARetiredTapIsNoLeaseWhicheverOfTheGroupsItIsIn) {
  for (uint32_t number = 0; number < kRetiredGroups; ++number) {
    Link link = TapOf("svvm1eth0", Vm1());
    link.group = RetiredGroupOf(kGroup, number);
    for (const Ifindex bridge : {0, 3}) {
      link.master = bridge;
      const Adoption adoption = AdoptAll({link});
      EXPECT_TRUE(adoption.leases.empty());
      ASSERT_EQ(adoption.retired.size(), 1u);
      EXPECT_EQ(adoption.retired[0].retired_group, number);
    }
  }
}

// Whatever the holder of a TAP can change without any privilege.
TEST(AdoptionTest, ATapThatItsHolderHasChangedIsNoLease) {
  const auto what = [](const std::function<void(Link*)>& change) {
    LeaseSpec alias = Vm1();
    alias.group = 50;
    alias.queues = 2;
    Link link = TapOf("svvm1eth0", alias);
    link.group_gid = 50;
    link.multi_queue = true;
    link.open_queues = 2;
    EXPECT_EQ(AdoptAll({link}).leases.size(), 1u);
    change(&link);
    const Adoption adoption = AdoptAll({link});
    EXPECT_TRUE(adoption.leases.empty());
    EXPECT_TRUE(adoption.conditions.empty());
    EXPECT_EQ(adoption.tampered.size(), 1u);
    if (adoption.tampered.empty()) return std::string();
    EXPECT_EQ(adoption.tampered[0].lease.spec.key.owner, 1000u);
    return adoption.tampered[0].tampering;
  };
  EXPECT_EQ(what([](Link* link) { link->owner = 1001; }), "its owner was changed to uid 1001");
  EXPECT_EQ(what([](Link* link) { link->owner.reset(); }), "its owner was taken away");
  EXPECT_EQ(what([](Link* link) { link->group_gid = 51; }), "its group was changed to gid 51");
  EXPECT_EQ(what([](Link* link) { link->group_gid.reset(); }), "its group was taken away");
  EXPECT_EQ(what([](Link* link) { link->persistent = false; }),
            "it was made to end with its holder");
  EXPECT_EQ(what([](Link* link) { link->ethernet = false; }), "its link type was changed");
  EXPECT_EQ(what([](Link* link) { link->mac = Mac("02:29:a3:2f:41:c8"); }),
            "its own MAC was changed to 02:29:a3:2f:41:c8");
  EXPECT_EQ(what([](Link* link) { link->open_queues = 3; }), "3 queues were opened, and 2 granted");
  EXPECT_EQ(what([](Link* link) {
              link->owner = 0;
              link->persistent = false;
            }),
            "its owner was changed to uid 0, it was made to end with its holder");
}

TEST(AdoptionTest, WhatVmmsChangeIsTheirs) {
  Link link = TapOf("svvm1eth0", Vm1());
  link.carrier = false;
  link.carrier_ups = 7;
  EXPECT_EQ(AdoptAll({link}).leases.size(), 1u);
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
  EXPECT_THAT(why([](Link* link) { link->alias += " x"; }), HasSubstr("exact form"));
  EXPECT_THAT(why([](Link* link) { link->alias[5] = '9'; }), HasSubstr("svnet2"));
  EXPECT_THAT(why([](Link* link) {
                link->alias = kTextV1;
                link->persistent = false;
              }),
              HasSubstr("never finished"));
  EXPECT_THAT(why([](Link* link) {
                link->alias = kTextV1;
                link->owner.reset();
              }),
              HasSubstr("no owner"));
  EXPECT_THAT(why([](Link* link) { link->alias = With(link->alias, "ac1e0002", "ac1e0001"); }),
              HasSubstr("172.30.0.1"));
  EXPECT_THAT(why([](Link* link) { link->alias = With(link->alias, "ac1e0002", "0a000002"); }),
              HasSubstr("10.0.0.2"));
  // Another's text in the log and on terminals is escaped.
  EXPECT_THAT(why([](Link* link) {
                link->name = "a\x1b[2J";
                link->alias += " x";
              }),
              HasSubstr("a\\x1b[2J"));
}

// Of TAPs that may be other owners' a caller is told no name.
TEST(ConditionTest, NamesTapsOnlyToAdministrators) {
  Link one = TapOf("svvm1eth0", Vm1());
  one.alias += " x";
  Link another = TapOf("svvm2eth0", Vm1());
  another.alias += " x";
  std::vector<Condition> conditions = AdoptAll({one, another}).conditions;
  ASSERT_EQ(conditions.size(), 2u);
  conditions.push_back({.type = "FORWARDING_OFF", .message = "said to all", .remedy = "a fix"});
  const Caller root = {.uid = 0, .gid = 0, .administrator = true};
  EXPECT_EQ(Authorizer(root).Filter(conditions), conditions);
  const Caller user = {.uid = 1000, .gid = 1000};
  const std::vector<Condition> told = Authorizer(user).Filter(conditions);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].type, "TAP_NOT_ADOPTED");
  EXPECT_THAT(told[0].message + told[0].remedy, ::testing::Not(HasSubstr("svvm")));
  EXPECT_EQ(told[1], conditions[2]);
}

TEST(AdoptionTest, OfTwoThatContradictTheFirstIsTaken) {
  LeaseSpec other_ip = Vm1();
  other_ip.ip = Ip("172.30.0.3");
  other_ip.mac = Mac("02:00:00:00:00:01");
  LeaseSpec same_ip = Vm1();
  same_ip.key.vm = Vm("vm2");
  same_ip.mac = Mac("02:00:00:00:00:02");
  LeaseSpec same_mac = Vm1();
  same_mac.key.vm = Vm("vm3");
  same_mac.ip = Ip("172.30.0.9");
  const Adoption adoption = AdoptAll({TapOf("tap0", Vm1()), TapOf("tap1", other_ip),
                                      TapOf("tap2", same_ip), TapOf("tap3", same_mac)});
  ASSERT_EQ(adoption.leases.size(), 1u);
  EXPECT_EQ(adoption.leases[0].spec.tap, Name("tap0"));
  EXPECT_EQ(adoption.conditions.size(), 3u);
}

}  // namespace
}  // namespace svnet
