// The rules as text, for nft(8) or libnftables. All pure; nothing but typed values is
// ever rendered.
#pragma once

#include <string>
#include <vector>

#include "daemon/ruleset/nft_element.h"
#include "daemon/ruleset/ruleset_spec.h"

namespace svnet {

// `inet`, `bridge`, `arp`: there is a table in each of the families.
const std::vector<std::string>& TableFamilies();

// The tables of that name, whole, with the networks of the spec that have guests.
std::string RenderRuleset(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks,
                          const std::string& table);

// The same as commands, for tables that exist and are empty: no command makes a table, or
// needs what is in the sets of other tables.
std::string RenderCommands(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks,
                           const std::string& table);

// What `nft list` shows of the tables, so that people know whose they are.
inline constexpr char kTableComment[] = "made by svnetd, which replaces it whole: changes are lost";

// The chain of the family inet that has rules if other forwarding is closed.
inline constexpr char kForwardOthersChain[] = "forward_others";

// What spec.preferred_sources adds to the sets.
std::vector<NftElement> PreferredSourceElements(const RulesetSpec& spec);

// What a binding adds to the sets, and what it adds that stays without it.
std::vector<NftElement> ElementsOf(const Binding& binding, const RulesetNetwork& network);
std::vector<NftElement> LastingElementsOf(const Binding& binding, const RulesetNetwork& network);

}  // namespace svnet
