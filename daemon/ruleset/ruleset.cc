#include "daemon/ruleset/ruleset.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/ruleset/ruleset_commands.h"
#include "daemon/ruleset/ruleset_part.h"
#include "daemon/ruleset/text_lines.h"

namespace svnet {
namespace {

// The places of the parts: a line % and its name is replaced by what they have for it.
// No rule names a guest: they are elements of sets, so that a packet costs the same however
// many guests there are.

// Frames between a guest and the bridge.
constexpr absl::string_view kBridgeTable = R"(table bridge $table {
  comment "$comment"

%bridge.sets

%bridge.counters

  chain prerouting {
    type filter hook prerouting priority dstnat; policy accept;
%bridge.prerouting
  }
%bridge.prerouting.chains

  chain forward {
    type filter hook forward priority filter; policy accept;
%bridge.forward
  }
%bridge.forward.chains

  chain input {
    type filter hook input priority filter; policy accept;
%bridge.input
  }
%bridge.input.chains

  chain postrouting {
    type filter hook postrouting priority filter; policy accept;
%bridge.postrouting
  }
}
)";

constexpr absl::string_view kEmptyBridgeTable = R"(table bridge $table {
  comment "$comment"
}
)";

// Packets between guests, the host and all others.
constexpr absl::string_view kOtherTables = R"(table inet $table {
  comment "$comment"

%inet.counters

%inet.maps
%inet.sets

  chain forward {
    type filter hook forward priority filter; policy accept;
    $from_guests goto from_guest
%inet.forward.first
    $to_guests goto to_guest
%inet.forward.last
  }

  chain from_guest {
%inet.from_guest
  }

  chain to_guest {
%inet.to_guest
  }
%inet.chains

  chain input {
    type filter hook input priority filter; policy accept;
    $from_guests goto host_from_guest
%inet.input
  }

  chain host_from_guest {
%inet.host_from_guest
  }

  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
%inet.postrouting
  }
}
table arp $table {
  comment "$comment"

  chain input {
    type filter hook input priority filter; policy accept;
%arp.input
  }
}
)";

void Fill(absl::string_view text, const RulesetSlots& slots, std::string* out) {
  for (absl::string_view line : LinesOf(text)) {
    if (absl::ConsumePrefix(&line, "%")) {
      const auto slot = slots.texts().find(std::string(line));
      // What a part has may have places, too.
      if (slot != slots.texts().end()) Fill(slot->second, slots, out);
    } else {
      absl::StrAppend(out, line, "\n");
    }
  }
}

// The tables with what the parts have for each place.
std::string FillPlaces(const RulesetSpec& spec) {
  RulesetSlots slots;
  for (const RulesetPart* part : RulesetParts()) part->render(spec, &slots);
  std::string text;
  const bool has_bridge = spec.kind == NetworkKind::kBridge;
  Fill(has_bridge ? kBridgeTable : kEmptyBridgeTable, slots, &text);
  Fill(kOtherTables, slots, &text);
  return text;
}

// What matches guests' packets: by the bridge, or by the link groups of their TAPs.
std::vector<std::pair<std::string, std::string>> MatchesOf(const RulesetSpec& spec) {
  if (spec.kind == NetworkKind::kBridge) {
    return {{"$from_guests", "iif $bridge"},
            {"$to_guests", "oif $bridge"},
            {"$leaving", "iif { 0, $bridge } ip saddr $prefix oifname != { \"$name\", \"lo\" }"}};
  }
  const auto group = [&](absl::string_view which, absl::string_view comparison) {
    return absl::StrFormat("%s & 0x%08x %s 0x%08x", which, spec.link_group_mask, comparison,
                           spec.link_group);
  };
  return {{"$from_guests", group("iifgroup", "==")},
          {"$to_guests", group("oifgroup", "==")},
          {"$leaving", absl::StrCat("ip saddr $prefix ", group("oifgroup", "!="),
                                    " oifname != { \"$name\", \"lo\" }")}};
}

std::string Render(const RulesetSpec& spec, const GuestBridge& bridge, const std::string& table) {
  return absl::StrReplaceAll(
      absl::StrReplaceAll(FillPlaces(spec), MatchesOf(spec)),
      {{"$table", table},
       {"$comment", kTableComment},
       {"$prefix", spec.prefix.ToString()},
       {"$gateway", Ipv4Address(spec.prefix.network().value() + 1).ToString()},
       {"$name", spec.bridge.text()},
       {"$bridge", absl::StrCat(bridge.ifindex)},
       {"$mac", bridge.mac.ToString()},
       {"$taps", absl::StrCat(spec.link_group, "-", spec.link_group + spec.retired_groups)}});
}

// The texts of all elements by the start of their set's line: "inet set macs".
using ElementTexts = std::map<std::string, std::vector<std::string>>;

ElementTexts ElementTextsOf(const RulesetSpec& spec, const std::vector<Binding>& bindings) {
  ElementTexts texts;
  const auto add = [&](const std::vector<NftElement>& elements) {
    for (const NftElement& element : elements) {
      const char* family = element.family == NftElement::Family::kInet ? "inet" : "bridge";
      texts[absl::StrCat(family, " ", element.data.empty() ? "set" : "map", " ", element.set)]
          .push_back(element.Text());
    }
  };
  add(PreferredSourceElements(spec));
  std::set<std::string> lasting;  // the same for several bindings
  for (const Binding& binding : bindings) {
    add(ElementsOf(binding, spec));
    for (const NftElement& element : LastingElementsOf(binding, spec)) {
      if (lasting.insert(absl::StrCat(element.set, element.KeyBytes())).second) add({element});
    }
  }
  return texts;
}

// Puts the elements into the line that makes their set: `add element` would have libnftables
// read the sets of all others.
std::string AddElementTexts(const std::string& tables, const ElementTexts& texts) {
  if (texts.empty()) return tables;
  std::string text;
  absl::string_view family;
  for (absl::string_view line : LinesOf(tables)) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    if (words[0] == "table") family = words[1];
    // "  set macs { ...; }"
    const auto found = words.size() < 5
                           ? texts.end()
                           : texts.find(absl::StrCat(family, " ", words[2], " ", words[3]));
    if (found != texts.end() && absl::ConsumeSuffix(&line, "}")) {
      absl::StrAppend(&text, line, "elements = { ", absl::StrJoin(found->second, ", "), " } }\n");
    } else {
      absl::StrAppend(&text, line, "\n");
    }
  }
  return text;
}

}  // namespace

const std::vector<std::string>& TableFamilies() {
  static const auto* const families = new std::vector<std::string>{"inet", "bridge", "arp"};
  return *families;
}

std::string RenderRuleset(const RulesetSpec& spec, const GuestBridge& bridge,
                          const std::vector<Binding>& bindings, const std::string& table) {
  return AddElementTexts(Render(spec, bridge, table), ElementTextsOf(spec, bindings));
}

std::string RenderCommands(const RulesetSpec& spec, const GuestBridge& bridge,
                           const std::vector<Binding>& bindings, const std::string& table) {
  return CommandsOf(RenderRuleset(spec, bridge, bindings, table));
}

std::vector<NftElement> ElementsOf(const Binding& binding, const RulesetSpec& spec) {
  std::vector<NftElement> elements;
  elements.reserve(8);
  for (const RulesetPart* part : RulesetParts()) {
    if (part->add_elements != nullptr) part->add_elements(binding, spec, &elements);
  }
  return elements;
}

std::vector<NftElement> LastingElementsOf(const Binding& binding, const RulesetSpec& spec) {
  std::vector<NftElement> elements;
  for (const RulesetPart* part : RulesetParts()) {
    if (part->add_lasting_elements != nullptr) {
      part->add_lasting_elements(binding, spec, &elements);
    }
  }
  return elements;
}

}  // namespace svnet
