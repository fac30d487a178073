#include "daemon/firewall/host_firewalls.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "daemon/base/status_macros.h"
#include "daemon/filter/legacy_table.h"
#include "daemon/filter/nft_list.h"
#include "daemon/firewall/firewalld.h"
#include "daemon/firewall/legacy_rules.h"
#include "daemon/firewall/ruleset.h"

namespace svnet {
namespace {

using Verdict = FilterRule::Verdict;

absl::StatusOr<std::string> RenderName(absl::string_view key, const std::string& name) {
  if (name.empty()) return std::string();
  absl::string_view start = name;
  const char* rest = absl::ConsumeSuffix(&start, "+") ? "*" : "";
  SVNET_ASSIGN_OR_RETURN(const LinkName link, LinkName::Parse(start));
  return absl::StrCat(" ", key, " \"", link.text(), rest, "\"");
}

// As iptables-nft itself would have it.
absl::StatusOr<std::string> RenderRule(const FilterRule& rule, const std::string& tag) {
  SVNET_ASSIGN_OR_RETURN(const std::string from, RenderName("iifname", rule.from));
  SVNET_ASSIGN_OR_RETURN(const std::string to, RenderName("oifname", rule.to));
  const char* verdict = rule.verdict == Verdict::kReturn ? "return" : "accept";
  return absl::StrCat(from, to, " counter ", verdict, " comment \"", tag, "\"\n");
}

}  // namespace

absl::StatusOr<std::string> RenderReplacement(const FilterChain& chain, const std::string& tag,
                                              const std::vector<FilterRule>& rules) {
  const std::string place = absl::StrCat(chain.family, " ", chain.table, " ", chain.name);
  std::string commands;
  for (const FilterRule& rule : chain.rules) {
    if (rule.comment == tag) {
      absl::StrAppend(&commands, "delete rule ", place, " handle ", rule.handle, "\n");
    }
  }
  const auto end =
      std::find_if(chain.rules.begin(), chain.rules.end(), [&](const FilterRule& rule) {
        return rule.verdict == Verdict::kReturn && rule.IsUnconditional() && rule.comment != tag;
      });
  const std::string add = end == chain.rules.end()
                              ? absl::StrCat("add rule ", place)
                              : absl::StrCat("insert rule ", place, " handle ", end->handle);
  for (const FilterRule& rule : rules) {
    SVNET_ASSIGN_OR_RETURN(const std::string text, RenderRule(rule, tag));
    absl::StrAppend(&commands, add, text);
  }
  return commands;
}

absl::StatusOr<std::unique_ptr<HostFirewalls>> HostFirewalls::Open(const LinkName& bridge) {
  SVNET_ASSIGN_OR_RETURN(NftCommands commands, NftCommands::Open(NftCommands::Output::kJson));
  return std::unique_ptr<HostFirewalls>(new HostFirewalls(std::move(commands), bridge));
}

HostFirewalls::HostFirewalls(NftCommands commands, const LinkName& bridge)
    : commands_(std::move(commands)), bridge_(bridge), tag_(TableName(bridge)) {}

absl::StatusOr<std::vector<FilterChain>> HostFirewalls::Read() {
  std::vector<FilterChain> chains;
  for (const char* family : {"ip", "inet"}) {
    SVNET_ASSIGN_OR_RETURN(const std::string list,
                           commands_.Run(absl::StrCat("list ruleset ", family, "\n")));
    SVNET_ASSIGN_OR_RETURN(const std::vector<FilterChain> some, ParseRuleset(list));
    chains.insert(chains.end(), some.begin(), some.end());
  }
  absl::StatusOr<std::vector<FilterChain>> legacy = ReadLegacyFilter();
  legacy_is_hidden_ = absl::IsUnimplemented(legacy.status());
  if (!legacy.ok() && !legacy_is_hidden_) return legacy.status();
  legacy_ = legacy_is_hidden_ ? std::vector<FilterChain>() : *std::move(legacy);
  chains.insert(chains.end(), legacy_.begin(), legacy_.end());
  return chains;
}

absl::StatusOr<bool> HostFirewalls::LegacyWasChanged() {
  const absl::StatusOr<std::vector<FilterChain>> legacy = ReadLegacyFilter();
  if (absl::IsUnimplemented(legacy.status())) return !legacy_is_hidden_;
  if (!legacy.ok()) return legacy.status();
  return legacy_is_hidden_ || *legacy != legacy_;
}

absl::Status HostFirewalls::Replace(const FilterChain& chain,
                                    const std::vector<FilterRule>& rules) {
  if (chain.family == "legacy") {
    return ReplaceLegacyRules(chain.name, tag_, rules);
  }
  SVNET_ASSIGN_OR_RETURN(const std::string commands, RenderReplacement(chain, tag_, rules));
  return commands_.Run(commands).status();
}

absl::Status HostFirewalls::JoinZone() { return JoinFirewalldZone(kFirewalldZone, bridge_.text()); }

absl::Status HostFirewalls::LeaveZone() {
  return LeaveFirewalldZone(kFirewalldZone, bridge_.text());
}

}  // namespace svnet
