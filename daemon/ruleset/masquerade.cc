#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "daemon/ruleset/ruleset.h"
#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

constexpr char kPreferredSources[] = "preferred_sources";

// Hardly any host has more than one such link.
constexpr absl::string_view kMaps =
    R"(  map preferred_sources { type iface_index : ipv4_addr; comment "links whose default route prefers another address than masquerade takes"; }
)";

// No rule names an uplink: a default route that changes needs nothing, or an element.
constexpr absl::string_view kPostrouting =
    R"(    $leaving snat ip to oif map @preferred_sources comment "guests, and the host itself, leave with the address that the route prefers"
    $leaving masquerade comment "or, as for most routes, with the link's"
)";

void RenderShared(const RulesetContext& /*context*/, RulesetSlots* slots) {
  slots->Add("inet.maps", kMaps);
}

// Not to guests, of whatever network, and not to the host itself.
std::string RenderElsewhere(const RulesetContext& context) {
  std::string groups;
  std::string names;
  for (const auto& [network, bridge] : context.networks) {
    absl::StrAppend(&names, "\"", network->bridge.text(), "\", ");
    if (network->kind == NetworkKind::kBridge) continue;
    absl::StrAppend(&groups, absl::StrFormat("oifgroup & 0x%08x != 0x%08x ",
                                             network->link_group_mask, network->link_group));
  }
  return absl::StrCat(groups, "oifname != { ", names, "\"lo\" }");
}

// What has an address of the network's and comes from elsewhere is none of its. What the host
// itself sends in the gateway's name is, and comes by no link.
void Render(const RulesetNetwork& network, const RulesetContext& context, RulesetSlots* slots) {
  if (network.kind == NetworkKind::kRouted) {
    slots->Add("inet.postrouting",
               absl::StrFormat("    $source iifgroup & 0x%08x != 0x%08x return\n",
                               network.link_group_mask, network.link_group));
  }
  const absl::string_view by_bridge =
      network.kind == NetworkKind::kBridge ? "iif { 0, $bridge } " : "";
  const std::string leaving = absl::StrCat(by_bridge, "$source ", RenderElsewhere(context));
  slots->Add("inet.postrouting", absl::StrReplaceAll(kPostrouting, {{"$leaving", leaving}}));
}

}  // namespace

std::vector<NftElement> PreferredSourceElements(const RulesetSpec& spec) {
  std::vector<NftElement> elements;
  elements.reserve(spec.preferred_sources.size());
  for (const auto& [link, address] : spec.preferred_sources) {
    elements.push_back({.family = NftElement::Family::kInet,
                        .set = kPreferredSources,
                        .key = {NftField::Ifindex(link)},
                        .data = {NftField::Address(address)}});
  }
  return elements;
}

const RulesetPart kMasquerade = {"masquerade", RenderShared, Render};

}  // namespace svnet
