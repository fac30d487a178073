#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

constexpr absl::string_view kSets = R"(  map zone_of { type iface_index : mark; }
  set zones { type iface_index . mark; }
)";

constexpr absl::string_view kForward =
    R"(    iifgroup $taps oifgroup $taps jump between_guests
)";

constexpr absl::string_view kForwardChains = R"(
  chain between_guests {
    meta mark set iif map @zone_of oif . meta mark @zones meta mark set 0 accept
    counter name foreign_zone drop
  }
)";

constexpr absl::string_view kFromGuest =
    R"(    oif $bridge ether daddr $mac counter name between_guests drop comment "no guest reaches another through the gateway"
)";

void Render(const RulesetSpec& /*spec*/, RulesetSlots* slots) {
  slots->Add("bridge.sets", kSets);
  slots->Add("bridge.counters", "  counter foreign_zone { }\n");
  slots->Add("bridge.forward", kForward);
  slots->Add("bridge.forward.chains", kForwardChains);
  slots->Add("inet.counters", "  counter between_guests { }\n");
  slots->Add("inet.from_guest", kFromGuest);
}

void AddElements(const Binding& binding, const RulesetSpec& /*spec*/,
                 std::vector<NftElement>* elements) {
  const NftField ifindex = NftField::Ifindex(binding.ifindex);
  const NftField zone = NftField::Mark(binding.zone);
  elements->push_back({.set = "zone_of", .key = {ifindex}, .data = {zone}});
  elements->push_back({.set = "zones", .key = {ifindex, zone}, .data = {}});
}

}  // namespace

const RulesetPart kIsolation = {"isolation", Render, AddElements};

}  // namespace svnet
