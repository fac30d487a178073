#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

// No rule names an uplink: a default route that changes needs nothing.
constexpr absl::string_view kPostrouting =
    R"(    iif { 0, $bridge } ip saddr $prefix oifname != { "$name", "lo" } masquerade comment "guests, and the host itself, leave with the host's address"
)";

void Render(const RulesetSpec& /*spec*/, RulesetSlots* slots) {
  slots->Add("inet.postrouting", kPostrouting);
}

}  // namespace

const RulesetPart kMasquerade = {"masquerade", Render};

}  // namespace svnet
