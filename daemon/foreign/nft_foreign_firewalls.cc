#include "daemon/foreign/nft_foreign_firewalls.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/table_name.h"
#include "daemon/foreign/firewalld.h"
#include "daemon/foreign/iptables_legacy_rules.h"
#include "daemon/foreign/iptables_legacy_table.h"
#include "daemon/foreign/nft_json.h"
#include "daemon/netlink/nft_tables.h"

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

// With a mask, because nft would compare whole bytes of a /24 or a /16, which versions of
// iptables-nft before 1.8.7 list as one address.
std::string RenderAddress(absl::string_view field, const std::optional<Ipv4Prefix>& prefix) {
  if (!prefix.has_value()) return "";
  return absl::StrCat(" ip ", field, " & ", prefix->netmask().ToString(),
                      " == ", prefix->network().ToString());
}

// In the form that iptables-nft itself uses: a rule that it cannot list, like one with `ct state`
// or a link group, is the end of its listing of the whole table.
absl::StatusOr<std::string> RenderRule(const FilterRule& rule, const std::string& tag) {
  SVNET_ASSIGN_OR_RETURN(std::string from, RenderName("iifname", rule.from));
  SVNET_ASSIGN_OR_RETURN(std::string to, RenderName("oifname", rule.to));
  from += RenderAddress("saddr", rule.source);
  to += RenderAddress("daddr", rule.destination);
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

absl::StatusOr<std::unique_ptr<NftForeignFirewalls>> NftForeignFirewalls::Open(
    const LinkName& bridge) {
  SVNET_ASSIGN_OR_RETURN(NftCommands commands, NftCommands::Open(NftCommands::Output::kJson));
  return std::unique_ptr<NftForeignFirewalls>(
      new NftForeignFirewalls(std::move(commands), TableName(bridge)));
}

NftForeignFirewalls::NftForeignFirewalls(NftCommands commands, std::string tag)
    : commands_(std::move(commands)), tag_(std::move(tag)) {}

absl::StatusOr<std::vector<FilterChain>> NftForeignFirewalls::Read() {
  std::vector<FilterChain> chains;
  SVNET_ASSIGN_OR_RETURN(const std::vector<std::string> commands,
                         CommandsToListRules({"ip", "inet"}));
  for (const std::string& command : commands) {
    SVNET_ASSIGN_OR_RETURN(const std::string list, commands_.Run(command));
    SVNET_ASSIGN_OR_RETURN(const std::vector<FilterChain> some, ParseRuleset(list));
    chains.insert(chains.end(), some.begin(), some.end());
  }
  absl::StatusOr<std::vector<FilterChain>> legacy = ReadIptablesLegacyFilter();
  legacy_is_hidden_ = absl::IsUnimplemented(legacy.status());
  if (!legacy.ok() && !legacy_is_hidden_) return legacy.status();
  legacy_ = legacy_is_hidden_ ? std::vector<FilterChain>() : *std::move(legacy);
  chains.insert(chains.end(), legacy_.begin(), legacy_.end());
  return chains;
}

absl::StatusOr<bool> NftForeignFirewalls::IptablesLegacyWasChanged() {
  const absl::StatusOr<std::vector<FilterChain>> legacy = ReadIptablesLegacyFilter();
  if (absl::IsUnimplemented(legacy.status())) return !legacy_is_hidden_;
  if (!legacy.ok()) return legacy.status();
  return legacy_is_hidden_ || *legacy != legacy_;
}

absl::Status NftForeignFirewalls::Replace(const FilterChain& chain,
                                          const std::vector<FilterRule>& rules) {
  if (chain.family == kIptablesLegacyFamily) {
    return ReplaceIptablesLegacyRules(chain.name, tag_, rules);
  }
  SVNET_ASSIGN_OR_RETURN(const std::string commands, RenderReplacement(chain, tag_, rules));
  return commands_.Run(commands).status();
}

absl::Status NftForeignFirewalls::JoinZone(const ZoneMember& member) {
  return JoinFirewalldZone(kFirewalldZone, member);
}

absl::Status NftForeignFirewalls::LeaveZone(const ZoneMember& member) {
  return LeaveFirewalldZone(kFirewalldZone, member);
}

}  // namespace svnet
