#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

// A guest knows its link's MTU and not the route's, and what would tell it is often lost on the
// way. The kernel takes the smaller MTU of both directions, and never raises what is there. The
// chain for NAT sees only the first packet of a connection, so that the others pay nothing.
constexpr absl::string_view kPostrouting =
    R"(    $from_guests tcp flags syn tcp option maxseg size set rt mtu comment "what is sent to a guest fits the routes"
)";

constexpr absl::string_view kToGuest =
    R"(    tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu comment "what a guest sends fits the routes"
)";

void Render(const RulesetNetwork& /*network*/, const RulesetContext& /*context*/,
            RulesetSlots* slots) {
  slots->Add("inet.postrouting", kPostrouting);
  slots->Add("inet.to_guest", kToGuest);
}

}  // namespace

const RulesetPart kSegmentSize = {"segment_size", nullptr, Render};

}  // namespace svnet
