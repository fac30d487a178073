// The table of iptables-legacy, as the kernel lays it out.
#include "daemon/foreign/iptables_legacy_table.h"

#include <endian.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/xt_comment.h>

#include <cstring>
#include <string>
#include <vector>

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Verdict = FilterRule::Verdict;

constexpr int kAccept = -NF_ACCEPT - 1;
constexpr int kDrop = -NF_DROP - 1;

// One entry: its conditions, its matches, its target.
class Entry {
 public:
  Entry& From(const std::string& pattern) {
    SetInterface(pattern, entry_.ip.iniface, entry_.ip.iniface_mask);
    return *this;
  }
  Entry& To(const std::string& pattern) {
    SetInterface(pattern, entry_.ip.outiface, entry_.ip.outiface_mask);
    return *this;
  }
  Entry& NotFrom(const std::string& pattern) {
    entry_.ip.invflags |= IPT_INV_VIA_IN;
    return From(pattern);
  }
  // As svnetd 0.1 wrote it.
  Entry& ToWithoutPlus(const std::string& start) {
    std::memcpy(entry_.ip.outiface, start.data(), start.size());
    std::memset(entry_.ip.outiface_mask, 0xff, start.size());
    return *this;
  }
  Entry& FromAddress(uint32_t address, uint32_t mask) {
    entry_.ip.src.s_addr = htobe32(address);
    entry_.ip.smsk.s_addr = htobe32(mask);
    return *this;
  }
  Entry& NotToAddress(uint32_t address) {
    entry_.ip.invflags |= IPT_INV_DSTIP;
    entry_.ip.dst.s_addr = htobe32(address);
    entry_.ip.dmsk.s_addr = 0xffffffff;
    return *this;
  }
  Entry& Match(const std::string& name, const std::string& data) {
    const size_t size = XT_ALIGN(sizeof(xt_entry_match) + data.size());
    std::vector<char> bytes(size);
    auto* match = reinterpret_cast<xt_entry_match*>(bytes.data());
    match->u.match_size = static_cast<uint16_t>(size);
    name.copy(match->u.user.name, sizeof(match->u.user.name) - 1);
    std::memcpy(match->data, data.data(), data.size());
    matches_.append(bytes.data(), size);
    return *this;
  }
  Entry& Comment(const std::string& text) {
    std::string data = text;
    data.resize(sizeof(xt_comment_info));
    return Match("comment", data);
  }
  // A verdict, or the offset of the entry to jump to.
  std::string Standard(int verdict) const {
    xt_standard_target target = {};
    target.target.u.target_size = sizeof(target);
    target.verdict = verdict;
    return With(&target, sizeof(target));
  }
  std::string Target(const std::string& name) const {
    xt_standard_target target = {};
    target.target.u.target_size = sizeof(target);
    name.copy(target.target.u.user.name, sizeof(target.target.u.user.name) - 1);
    return With(&target, sizeof(target));
  }
  // The heading of a chain, and the end of the table ("ERROR").
  static std::string Heading(const std::string& chain) {
    xt_error_target target = {};
    target.target.u.target_size = sizeof(target);
    std::strcpy(target.target.u.user.name, "ERROR");
    chain.copy(target.errorname, sizeof(target.errorname) - 1);
    return Entry().With(&target, sizeof(target));
  }

 private:
  // As iptables does: a + at the end stays in the name.
  static void SetInterface(const std::string& pattern, char* name, unsigned char* mask) {
    std::memcpy(name, pattern.data(), pattern.size());
    std::memset(mask, 0xff, pattern.ends_with('+') ? pattern.size() - 1 : pattern.size() + 1);
  }

  std::string With(const void* target, size_t size) const {
    ipt_entry entry = entry_;
    entry.target_offset = static_cast<uint16_t>(sizeof(entry) + matches_.size());
    entry.next_offset = static_cast<uint16_t>(entry.target_offset + size);
    std::string bytes(reinterpret_cast<const char*>(&entry), sizeof(entry));
    bytes += matches_;
    bytes.append(static_cast<const char*>(target), size);
    return bytes;
  }

  std::string matches_;
  ipt_entry entry_ = {};  // the last: it ends in a flexible array
};

// INPUT and OUTPUT with a policy alone, FORWARD with these rules, and then more chains.
IptablesLegacyTable TableOf(const std::vector<std::string>& forward, int policy,
                            const std::vector<std::string>& chains = {}) {
  IptablesLegacyTable table;
  std::string bytes = Entry().Standard(kAccept);
  table.info.hook_entry[NF_INET_FORWARD] = static_cast<unsigned>(bytes.size());
  for (const std::string& entry : forward) bytes += entry;
  bytes += Entry().Standard(policy);
  table.info.hook_entry[NF_INET_LOCAL_OUT] = static_cast<unsigned>(bytes.size());
  bytes += Entry().Standard(kAccept);
  for (const std::string& entry : chains) bytes += entry;
  bytes += Entry::Heading("ERROR");
  table.entries.assign(bytes.begin(), bytes.end());
  return table;
}

FilterRule RuleIn(const std::string& entry) {
  const std::vector<FilterChain> chains = ChainsOf(TableOf({entry}, kAccept));
  EXPECT_EQ(chains.size(), 3u);
  EXPECT_EQ(chains[1].rules.size(), 1u);
  return chains[1].rules[0];
}

TEST(IptablesLegacyTableTest, WithoutATableThereAreNoChains) {
  EXPECT_THAT(ChainsOf({}), IsEmpty());
}

TEST(IptablesLegacyTableTest, ReadsTheBuiltInChainsWithTheirPolicies) {
  const std::vector<FilterChain> chains = ChainsOf(TableOf({}, kDrop));
  ASSERT_EQ(chains.size(), 3u);
  EXPECT_EQ(chains[0].name, "INPUT");
  EXPECT_EQ(chains[1].name, "FORWARD");
  EXPECT_EQ(chains[1].hook, "forward");
  EXPECT_EQ(chains[1].family, "iptables-legacy");
  EXPECT_TRUE(chains[1].drops_by_default);
  EXPECT_THAT(chains[1].rules, IsEmpty());
  EXPECT_EQ(chains[2].name, "OUTPUT");
  EXPECT_FALSE(chains[2].drops_by_default);
}

TEST(IptablesLegacyTableTest, ReadsInterfaces) {
  const FilterRule rule = RuleIn(Entry().NotFrom("docker0").To("br-+").Standard(kAccept));
  EXPECT_EQ(rule.from, "docker0");
  EXPECT_TRUE(rule.not_from);
  EXPECT_EQ(rule.to, "br-+");
  EXPECT_FALSE(rule.not_to);
  EXPECT_FALSE(rule.opaque);
}

TEST(IptablesLegacyTableTest, ReadsAnInterfaceOfTheLongestName) {
  EXPECT_EQ(RuleIn(Entry().From("abcdefghijklmno").Standard(kAccept)).from, "abcdefghijklmno");
}

TEST(IptablesLegacyTableTest, ARuleOfAnEarlierSvnetdIsAnotherThanTheOneThatIsWanted) {
  const FilterRule rule = RuleIn(Entry().ToWithoutPlus("docker").Standard(XT_RETURN));
  EXPECT_EQ(rule.to, "docker+");
  EXPECT_NE(rule, RuleIn(Entry().To("docker+").Standard(XT_RETURN)));
}

TEST(IptablesLegacyTableTest, APlusAloneIsAnyInterface) {
  EXPECT_TRUE(RuleIn(Entry().From("+").To("+").Standard(XT_RETURN)).IsUnconditional());
}

TEST(IptablesLegacyTableTest, ReadsVerdicts) {
  EXPECT_EQ(RuleIn(Entry().Standard(kAccept)).verdict, Verdict::kAccept);
  EXPECT_EQ(RuleIn(Entry().Standard(kDrop)).verdict, Verdict::kDrop);
  EXPECT_EQ(RuleIn(Entry().Standard(XT_RETURN)).verdict, Verdict::kReturn);
  EXPECT_EQ(RuleIn(Entry().Target("REJECT")).verdict, Verdict::kDrop);
  EXPECT_EQ(RuleIn(Entry().Target("LOG")).verdict, Verdict::kNone);
}

TEST(IptablesLegacyTableTest, ACommentIsNotAConditionAndEveryOtherMatchIs) {
  const FilterRule commented = RuleIn(Entry().Comment("svnet-svbr0").Standard(kAccept));
  EXPECT_EQ(commented.comment, "svnet-svbr0");
  EXPECT_FALSE(commented.opaque);
  const FilterRule matching =
      RuleIn(Entry().Match("conntrack", "12345678").Comment("why").Standard(kAccept));
  EXPECT_EQ(matching.comment, "why");
  EXPECT_TRUE(matching.opaque);
}

TEST(IptablesLegacyTableTest, ReadsAddresses) {
  const FilterRule rule = RuleIn(
      Entry().FromAddress(0xac1e0000, 0xffffff00).NotToAddress(0x0a000001).Standard(kAccept));
  EXPECT_EQ(rule, (FilterRule{.source = Ipv4Prefix::Parse("172.30.0.0/24").value(),
                              .destination = Ipv4Prefix::Parse("10.0.0.1/32").value(),
                              .not_destination = true,
                              .verdict = Verdict::kAccept}));
  EXPECT_FALSE(rule.IsUnconditional());
  EXPECT_TRUE(RuleIn(Entry().FromAddress(0xac000000, 0xff00ff00).Standard(kAccept)).opaque);
}

TEST(IptablesLegacyTableTest, AJumpNamesItsChain) {
  // INPUT, the jump, the policy of FORWARD, that of OUTPUT; then the heading of the chain.
  const size_t plain = Entry().Standard(kAccept).size();
  const int first = static_cast<int>(4 * plain + Entry::Heading("DOCKER").size());
  const std::vector<FilterChain> chains =
      ChainsOf(TableOf({Entry().Standard(first)}, kDrop,
                       {Entry::Heading("DOCKER"), Entry().To("docker0").Standard(kAccept),
                        Entry().Standard(XT_RETURN)}));
  ASSERT_EQ(chains.size(), 4u);
  EXPECT_EQ(chains[1].rules[0].verdict, Verdict::kJump);
  EXPECT_EQ(chains[1].rules[0].target, "DOCKER");
  EXPECT_EQ(chains[3].name, "DOCKER");
  EXPECT_EQ(chains[3].hook, "");
  ASSERT_EQ(chains[3].rules.size(), 1u);
  EXPECT_EQ(chains[3].rules[0].to, "docker0");
}

TEST(IptablesLegacyTableTest, ATableThatIsCutOffEndsWithItsLastWholeEntry) {
  IptablesLegacyTable table = TableOf({}, kDrop);
  table.entries.resize(table.entries.size() - Entry::Heading("ERROR").size() + sizeof(ipt_entry) -
                       1);
  std::vector<size_t> offsets;
  ForEachEntry(table, [&](size_t offset, const ipt_entry&) { offsets.push_back(offset); });
  const size_t plain = Entry().Standard(kAccept).size();
  EXPECT_THAT(offsets, ElementsAre(0, plain, 2 * plain));
}

}  // namespace
}  // namespace svnet
