#include "daemon/ruleset/guard.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace svnet {
namespace {

struct GuardName {
  Guard guard;
  absl::string_view text;
};
// None begins with another.
constexpr GuardName kGuardNames[] = {
    {Guard::kFromGuests, "$from_guests "},
    {Guard::kToGuests, "$to_guests "},
    {Guard::kFromTaps, "$from_taps "},
    {Guard::kToTaps, "$to_taps "},
    {Guard::kSource, "$source "},
    {Guard::kKnownFromTaps, "$known_from_taps "},
    {Guard::kKnownToTaps, "$known_to_taps "},
};

// What is looked at, and what it is of a network's packets.
struct Match {
  std::string selector;
  std::string value;
};

Match MatchOfGuests(absl::string_view direction, const GuardedNetwork& each) {
  if (each.network->kind == NetworkKind::kBridge) {
    return {absl::StrCat(direction, "if"), absl::StrCat(each.bridge.ifindex)};
  }
  return {absl::StrFormat("%sifgroup & 0x%08x", direction, each.network->link_group_mask),
          absl::StrFormat("0x%08x", each.network->link_group)};
}

Match MatchOfTaps(absl::string_view direction, const RulesetNetwork& network) {
  return {absl::StrCat(direction, "ifgroup"),
          absl::StrCat(network.link_group, "-", network.link_group + network.retired_groups)};
}

Match MatchOf(Guard guard, const GuardedNetwork& each) {
  switch (guard) {
    case Guard::kFromGuests:
      return MatchOfGuests("i", each);
    case Guard::kToGuests:
      return MatchOfGuests("o", each);
    case Guard::kFromTaps:
    case Guard::kKnownFromTaps:
      return MatchOfTaps("i", *each.network);
    case Guard::kToTaps:
    case Guard::kKnownToTaps:
      return MatchOfTaps("o", *each.network);
    case Guard::kSource:
      break;
  }
  return {"ip saddr", each.network->prefix.ToString()};
}

Guard WithoutKnown(Guard guard) {
  if (guard == Guard::kKnownFromTaps) return Guard::kFromTaps;
  return guard == Guard::kKnownToTaps ? Guard::kToTaps : guard;
}

std::string TextOf(const Match& match) {
  // With a mask, the value is compared with expressly.
  const bool is_masked = match.selector.find('&') != std::string::npos;
  return absl::StrCat(match.selector, is_masked ? " == " : " ", match.value);
}

}  // namespace

std::optional<GuardedLine> FindGuard(absl::string_view line) {
  for (const auto& [guard, text] : kGuardNames) {
    const size_t at = line.find(text);
    if (at == absl::string_view::npos) continue;
    return GuardedLine{.guard = WithoutKnown(guard),
                       .rest = absl::StrCat(line.substr(0, at), line.substr(at + text.size()))};
  }
  return std::nullopt;
}

absl::string_view NameOf(Guard guard) {
  const auto* const found =
      std::find_if(std::begin(kGuardNames), std::end(kGuardNames),
                   [&](const GuardName& each) { return each.guard == guard; });
  return absl::StripSuffix(absl::StripPrefix(found->text, "$"), " ");
}

std::string WithMatch(absl::string_view line, const GuardedNetwork& network) {
  std::string text(line);
  for (const auto& [guard, name] : kGuardNames) {
    const bool is_known = guard == Guard::kKnownFromTaps || guard == Guard::kKnownToTaps;
    const std::string match = is_known ? "" : absl::StrCat(TextOf(MatchOf(guard, network)), " ");
    absl::StrReplaceAll({{name, match}}, &text);
  }
  return text;
}

std::string Dispatch(Guard guard,
                     const std::vector<std::pair<GuardedNetwork, std::string>>& verdicts) {
  // By selector: at most one for bridges, and one for routed networks.
  std::vector<std::pair<std::string, std::vector<std::string>>> maps;
  for (const auto& [network, verdict] : verdicts) {
    const Match match = MatchOf(guard, network);
    auto map = std::find_if(maps.begin(), maps.end(),
                            [&](const auto& each) { return each.first == match.selector; });
    if (map == maps.end()) map = maps.insert(map, {match.selector, {}});
    map->second.push_back(absl::StrCat(match.value, " : ", verdict));
  }
  std::string rules;
  for (const auto& [selector, elements] : maps) {
    absl::StrAppend(&rules, "    ", selector, " vmap { ");
    absl::string_view separator;
    for (const std::string& element : elements) {
      absl::StrAppend(&rules, separator, element);
      separator = ", ";
    }
    absl::StrAppend(&rules, " }\n");
  }
  return rules;
}

}  // namespace svnet
