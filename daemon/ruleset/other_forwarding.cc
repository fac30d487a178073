#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

constexpr absl::string_view kCounter = "  counter other_forwarding { }\n";

// What is no guest's has passed all other rules, so that guests' packets pay nothing for these.
constexpr absl::string_view kForward = "    goto forward_others\n";

// What two bridges have between them may be bridged: with bridge-nf-call-iptables that comes here,
// too, and is not ours to drop.
constexpr absl::string_view kChain = R"(
  chain forward_others {
    comment "svnetd has turned net.ipv4.ip_forward on, for its guests alone"
    meta iifkind "bridge" meta oifkind "bridge" accept
    meta nfproto ipv4 counter name other_forwarding drop
  }
)";

void RenderShared(const RulesetContext& context, RulesetSlots* slots) {
  slots->Add("inet.counters", kCounter);
  if (context.spec.others != OtherForwarding::kClosed) return;
  slots->Add("inet.forward.others", kForward);
  slots->Add("inet.chains", kChain);
}

}  // namespace

const RulesetPart kOtherForwarding = {"other_forwarding", RenderShared, nullptr};

}  // namespace svnet
