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
#include "daemon/ruleset/table_template.h"
#include "daemon/ruleset/text_lines.h"

namespace svnet {
namespace {

// The places of the parts: a line % and its name is replaced by what they have for it.
// No rule names a guest: they are elements of sets, so that a packet costs the same however
// many guests there are. Nor does it cost more where there are more networks.

// Frames between a guest and the bridge.
constexpr absl::string_view kBridgeTable = R"(table bridge $table {
  comment "$comment"

%bridge.sets

%bridge.counters

  chain prerouting {
    type filter hook prerouting priority dstnat; policy accept;
%%bridge.prerouting
  }
%bridge.prerouting.chains

  chain forward {
    type filter hook forward priority filter; policy accept;
%%bridge.forward
  }
%bridge.forward.chains

  chain input {
    type filter hook input priority filter; policy accept;
%%bridge.input
  }
%bridge.input.chains

  chain postrouting {
    type filter hook postrouting priority filter; policy accept;
%%bridge.postrouting
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
%%inet.forward.from_guests
%%inet.forward.first
%%inet.forward.to_guests
%%inet.forward.last
%inet.forward.others
  }
%inet.forward.chains
%inet.chains

  chain input {
    type filter hook input priority filter; policy accept;
%%inet.input.from_guests
%%inet.input
  }
%inet.input.chains

  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
%%inet.postrouting
  }
}
table arp $table {
  comment "$comment"

%arp.maps
  chain input {
    type filter hook input priority filter; policy accept;
%%arp.input
  }
%arp.chains
}
)";

// The chains that parts share.
void RenderFrame(RulesetSlots* slots) {
  slots->Add("inet.forward.from_guests", "    $from_guests goto ~from_guest\n");
  slots->Add("inet.forward.to_guests", "    $to_guests goto ~to_guest\n");
  slots->Add("inet.forward.chains", R"(
  chain ~from_guest {
%inet.from_guest
  }

  chain ~to_guest {
%inet.to_guest
  }
)");
  slots->Add("inet.input.from_guests", "    $from_guests goto ~host_from_guest\n");
  slots->Add("inet.input.chains", R"(
  chain ~host_from_guest {
%inet.host_from_guest
  }
)");
}

RulesetContext ContextOf(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks) {
  RulesetContext context = {.spec = spec, .networks = {}, .views = HaveViews(networks)};
  for (const NetworkGuests& each : networks) {
    context.networks.push_back({.network = &spec.networks.at(each.name), .bridge = each.bridge});
  }
  return context;
}

std::string Render(const RulesetContext& context, const std::string& table) {
  TableTemplate tables(context.networks);
  for (size_t i = 0; i < context.networks.size(); ++i) RenderFrame(tables.own(i));
  for (const RulesetPart* part : RulesetParts()) {
    if (part->render_shared != nullptr) part->render_shared(context, tables.shared());
    for (size_t i = 0; part->render != nullptr && i < context.networks.size(); ++i) {
      part->render(*context.networks[i].network, context, tables.own(i));
    }
  }
  const bool has_bridge = context.Has(NetworkKind::kBridge);
  const std::string text =
      tables.Fill(absl::StrCat(has_bridge ? kBridgeTable : kEmptyBridgeTable, kOtherTables));
  return absl::StrReplaceAll(text, {{"$table", table}, {"$comment", kTableComment}});
}

absl::string_view NameOf(NftElement::Family family) {
  switch (family) {
    case NftElement::Family::kInet:
      return "inet";
    case NftElement::Family::kArp:
      return "arp";
    case NftElement::Family::kBridge:
      break;
  }
  return "bridge";
}

// The texts of all elements by the start of their set's line: "inet set macs".
using ElementTexts = std::map<std::string, std::vector<std::string>>;

ElementTexts ElementTextsOf(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks) {
  ElementTexts texts;
  const auto add = [&](const std::vector<NftElement>& elements) {
    for (const NftElement& element : elements) {
      texts[absl::StrCat(NameOf(element.family), " ", element.data.empty() ? "set" : "map", " ",
                         element.set)]
          .push_back(element.Text());
    }
  };
  add(PreferredSourceElements(spec));
  std::set<std::string> lasting;  // the same for several bindings
  for (const NetworkGuests& each : networks) {
    const RulesetNetwork& network = spec.networks.at(each.name);
    for (const Binding& binding : each.bindings) {
      add(ElementsOf(binding, network));
      for (const NftElement& element : LastingElementsOf(binding, network)) {
        if (lasting.insert(absl::StrCat(element.set, element.KeyBytes())).second) add({element});
      }
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

std::string RenderRuleset(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks,
                          const std::string& table) {
  return AddElementTexts(Render(ContextOf(spec, networks), table), ElementTextsOf(spec, networks));
}

std::string RenderCommands(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks,
                           const std::string& table) {
  return CommandsOf(RenderRuleset(spec, networks, table));
}

std::vector<NftElement> ElementsOf(const Binding& binding, const RulesetNetwork& network) {
  std::vector<NftElement> elements;
  elements.reserve(8);
  for (const RulesetPart* part : RulesetParts()) {
    if (part->add_elements != nullptr) part->add_elements(binding, network, &elements);
  }
  return elements;
}

std::vector<NftElement> LastingElementsOf(const Binding& binding, const RulesetNetwork& network) {
  std::vector<NftElement> elements;
  for (const RulesetPart* part : RulesetParts()) {
    if (part->add_lasting_elements != nullptr) {
      part->add_lasting_elements(binding, network, &elements);
    }
  }
  return elements;
}

}  // namespace svnet
