#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

constexpr absl::string_view kSet = R"(
  set ~blocked {
    type ipv4_addr; flags interval; auto-merge
    elements = { $prefixes }
  }
)";

// Also what NAT is about to send elsewhere. What rules out nearly every packet comes first.
constexpr absl::string_view kRules =
    R"(    ip daddr $blocked ip daddr != $prefix counter name ~blocked_destination drop
    ct original ip daddr $blocked ct original ip daddr != $prefix counter name ~blocked_destination drop
)";

std::string RenderSet(const std::vector<Ipv4Prefix>& prefixes) {
  const auto append = [](std::string* out, const Ipv4Prefix& p) {
    absl::StrAppend(out, p.ToString());
  };
  return absl::StrReplaceAll(kSet, {{"$prefixes", absl::StrJoin(prefixes, ", ", append)}});
}

void Render(const RulesetNetwork& network, const RulesetContext& /*context*/, RulesetSlots* slots) {
  slots->Add("inet.counters", "  counter ~blocked_destination { }\n");
  const std::vector<Ipv4Prefix>& prefixes = network.blocked_destinations;
  if (prefixes.empty()) return;
  // To compare with a single one costs less than to look into a set.
  const bool is_set = prefixes.size() > 1;
  if (is_set) slots->Add("inet.sets", RenderSet(prefixes));
  const std::string rules =
      absl::StrReplaceAll(kRules, {{"$blocked", is_set ? "@~blocked" : prefixes[0].ToString()}});
  slots->Add("inet.from_guest", rules);
  slots->Add("inet.host_from_guest", rules);
}

}  // namespace

const RulesetPart kBlockedDestinations = {"blocked_destinations", nullptr, Render};

}  // namespace svnet
