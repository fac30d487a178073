// svnetd's rules in iptables-legacy's table, next to those that iptables-legacy itself makes.
#include "daemon/foreign/iptables_legacy_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sandbox/sandbox.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Shell;
using Verdict = FilterRule::Verdict;

constexpr char kTag[] = "svnet-svbr0";

class IptablesLegacyTest : public ::testing::Test {
 protected:
  IptablesLegacyTest() {
    testing::EnterFreshNetworkNamespace();
    Shell("iptables-legacy -N DOCKER-USER; iptables-legacy -A FORWARD -j DOCKER-USER");
  }

  static void Write(const std::vector<FilterRule>& rules) {
    const absl::Status written = ReplaceIptablesLegacyRules("DOCKER-USER", kTag, rules);
    ASSERT_TRUE(written.ok()) << written;
  }

  static std::vector<FilterRule> Rules() {
    const absl::StatusOr<std::vector<FilterChain>> chains = ReadIptablesLegacyFilter();
    EXPECT_TRUE(chains.ok()) << chains.status();
    if (!chains.ok()) return {};
    for (const FilterChain& chain : *chains) {
      if (chain.name == "DOCKER-USER") return chain.rules;
    }
    return {};
  }

  // All entries without their counters.
  static std::string Entries() {
    absl::StatusOr<IptablesLegacyTable> table = ReadIptablesLegacyTable();
    if (!table.ok()) {
      ADD_FAILURE() << table.status();
      return "";
    }
    std::string bytes;
    ForEachEntry(*table, [&](size_t, const ipt_entry& entry) {
      ipt_entry start = entry;
      start.counters = {};
      bytes.append(reinterpret_cast<const char*>(&start), sizeof(start));
      bytes.append(reinterpret_cast<const char*>(&entry) + sizeof(start),
                   entry.next_offset - sizeof(start));
    });
    return bytes;
  }
};

struct Way {
  std::string from;
  std::string to;
  std::string source = "";
  std::string destination = "";
};

std::optional<Ipv4Prefix> PrefixOf(const std::string& text) {
  return text.empty() ? std::nullopt : std::make_optional(Ipv4Prefix::Parse(text).value());
}

FilterRule Rule(const Way& way, Verdict verdict) {
  return {.from = way.from,
          .to = way.to,
          .source = PrefixOf(way.source),
          .destination = PrefixOf(way.destination),
          .verdict = verdict,
          .target = "",
          .comment = kTag};
}

std::string Options(const Way& way) {
  return absl::StrCat(way.source.empty() ? "" : absl::StrCat(" -s ", way.source),
                      way.destination.empty() ? "" : absl::StrCat(" -d ", way.destination),
                      way.from.empty() ? "" : absl::StrCat(" -i ", way.from),
                      way.to.empty() ? "" : absl::StrCat(" -o ", way.to), " -m comment --comment ",
                      kTag);
}

// Whole names and starts of names, up to the longest; and with addresses.
const Way kWays[] = {{"svbr0", "docker+"},
                     {"svbr0", "br-+"},
                     {"svbr0", "br-0123456789ab"},
                     {"svbr0", ""},
                     {"", "svbr0"},
                     {"", "br-0123456789a+"},
                     {"eth+", "b"},
                     {"br-lan", "backend+"},
                     {"sv+", "docker+", "172.30.0.0/24"},
                     {"sv+", "", "172.30.0.0/20"},
                     {"", "sv+", "", "172.30.0.0/16"},
                     {"", "", "10.0.0.1/32", "10.9.8.0/21"}};

TEST_F(IptablesLegacyTest, ARuleIsByteForByteTheOneThatIptablesMakes) {
  Shell("iptables-legacy -A DOCKER-USER -j RETURN");
  for (const Way& way : kWays) {
    for (const Verdict verdict : {Verdict::kReturn, Verdict::kAccept}) {
      const std::string options =
          absl::StrCat(Options(way), " -j ", verdict == Verdict::kReturn ? "RETURN" : "ACCEPT");
      Write({Rule(way, verdict)});
      const std::string ours = Entries();
      Write({});
      Shell(absl::StrCat("iptables-legacy -I DOCKER-USER", options));
      EXPECT_EQ(ours, Entries()) << options;
      Shell(absl::StrCat("iptables-legacy -D DOCKER-USER", options));
    }
  }
}

TEST_F(IptablesLegacyTest, IptablesShowsAndDeletesARule) {
  const std::string before = Shell("iptables-legacy -S");
  for (const Way& way : kWays) {
    Write({Rule(way, Verdict::kReturn)});
    const std::string rule = absl::StrCat("DOCKER-USER", Options(way), " -j RETURN");
    EXPECT_THAT(Shell("iptables-legacy -S"), HasSubstr(absl::StrCat("-A ", rule, "\n")));
    Shell(absl::StrCat("iptables-legacy -D ", rule));
    EXPECT_EQ(Shell("iptables-legacy -S"), before);
  }
}

TEST_F(IptablesLegacyTest, ReadsWhatItHasWrittenAndWhatIptablesHas) {
  for (const Way& way : kWays) {
    const FilterRule rule = Rule(way, Verdict::kAccept);
    Write({rule});
    EXPECT_THAT(Rules(), ElementsAre(rule));
    Write({});
    Shell(absl::StrCat("iptables-legacy -A DOCKER-USER", Options(way), " -j ACCEPT"));
    EXPECT_THAT(Rules(), ElementsAre(rule));
    Write({});
  }
}

}  // namespace
}  // namespace svnet
