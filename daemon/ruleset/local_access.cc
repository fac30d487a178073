#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "daemon/ruleset/ruleset_part.h"

namespace svnet {
namespace {

// What the host's own processes begin. What the kernel sends by itself has no user, and is
// an answer, or about one.
constexpr absl::string_view kHook = R"(
  set local_users { type ipv4_addr . uid; }

  chain output {
    type filter hook output priority filter; policy accept;
%%inet.output
  }
)";

constexpr absl::string_view kOutput = R"(    $to_guests goto ~guest_from_host
)";

constexpr absl::string_view kChains = R"(
  chain ~guest_from_host {
    ct state established,related accept
    meta skuid 0 accept
$admin_rule    ip daddr . meta skuid @local_users accept
    meta nfproto ipv4 counter name ~local_denied drop
    meta skuid != 0 counter name ~local_denied drop comment "IPv6, which guests have not"
  }
)";

void RenderShared(const RulesetContext& context, RulesetSlots* slots) {
  const bool any = std::any_of(
      context.networks.begin(), context.networks.end(),
      [](const GuardedNetwork& each) { return each.network->local_access != LocalAccess::kAll; });
  if (any) slots->Add("inet.chains", kHook);
}

void Render(const RulesetNetwork& network, const RulesetContext& context, RulesetSlots* slots) {
  slots->Add("inet.counters", "  counter ~local_denied { }\n");
  if (network.local_access == LocalAccess::kAll) return;
  const std::vector<uint32_t>& gids = context.spec.admin_gids;
  const std::string admins =
      gids.empty() ? ""
                   : absl::StrCat("    meta skgid { ", absl::StrJoin(gids, ", "), " } accept\n");
  slots->Add("inet.output", kOutput);
  slots->Add("inet.chains", absl::StrReplaceAll(kChains, {{"$admin_rule", admins}}));
}

void AddElements(const Binding& binding, const RulesetNetwork& network,
                 std::vector<NftElement>* elements) {
  if (network.local_access == LocalAccess::kAll) return;
  elements->push_back({.family = NftElement::Family::kInet,
                       .set = "local_users",
                       .key = {NftField::Address(binding.ip), NftField::Uid(binding.owner)},
                       .data = {}});
}

}  // namespace

const RulesetPart kLocalAccess = {"local_access", RenderShared, Render, AddElements};

}  // namespace svnet
