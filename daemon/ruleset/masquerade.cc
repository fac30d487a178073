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

void Render(const RulesetSpec& /*spec*/, RulesetSlots* slots) {
  slots->Add("inet.maps", kMaps);
  slots->Add("inet.postrouting", kPostrouting);
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

const RulesetPart kMasquerade = {"masquerade", Render};

}  // namespace svnet
