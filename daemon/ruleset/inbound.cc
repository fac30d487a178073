#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

constexpr absl::string_view kToGuest = R"(    ct state established,related accept
    counter name ~unasked drop comment "nobody outside opens a connection to a guest"
)";

void Render(const RulesetNetwork& /*network*/, const RulesetContext& /*context*/,
            RulesetSlots* slots) {
  slots->Add("inet.counters", "  counter ~unasked { }\n");
  slots->Add("inet.to_guest", kToGuest);
}

}  // namespace

const RulesetPart kInbound = {"inbound", nullptr, Render};

}  // namespace svnet
