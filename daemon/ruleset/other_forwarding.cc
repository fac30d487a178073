#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

// Behind the chain `forward`, whose counters say more. What two bridges have between them may be
// bridged: with bridge-nf-call-iptables that comes here, too, and is not ours to drop.
constexpr absl::string_view kChain = R"(
  chain forward_others {
    comment "svnetd has turned net.ipv4.ip_forward on, for its guests alone"
    type filter hook forward priority filter + 10; policy accept;
%%inet.forward_others
    meta iifkind "bridge" meta oifkind "bridge" accept
    meta nfproto ipv4 counter name other_forwarding drop
  }
)";

constexpr absl::string_view kGuests = R"(    $from_guests accept
    $to_guests accept
)";

void RenderShared(const RulesetContext& context, RulesetSlots* slots) {
  slots->Add("inet.counters", "  counter other_forwarding { }\n");
  if (context.spec.others == OtherForwarding::kClosed) slots->Add("inet.chains", kChain);
}

void Render(const RulesetNetwork& /*network*/, const RulesetContext& /*context*/,
            RulesetSlots* slots) {
  slots->Add("inet.forward_others", kGuests);
}

}  // namespace

const RulesetPart kOtherForwarding = {"other_forwarding", RenderShared, Render};

}  // namespace svnet
