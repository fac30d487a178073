#include "daemon/network/network_observer.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/infrastructure.h"
#include "daemon/network/last_failure.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/network_closure.h"
#include "daemon/network/network_rules.h"
#include "daemon/network/reconciler.h"
#include "daemon/network/spec_texts.h"
#include "daemon/network/tap_reaper.h"

namespace svnet {
namespace {

// The rules hold guests to their MACs and addresses all the same.
void AppendUnpinnedPorts(const LeaseTable& leases, std::vector<Condition>* conditions) {
  const auto count = std::count_if(leases.all().begin(), leases.all().end(), [](const auto& each) {
    return each.second.state.bridge != 0 && !each.second.state.pinned;
  });
  if (count == 0) return;
  conditions->push_back(
      {.type = "PORTS_NOT_PINNED",
       .message = absl::StrCat(count,
                               " TAPs have no fixed place in the bridge's forwarding database: "
                               "the kernel could not do it, or another program has changed it"),
       .remedy =
           "only the nftables rules hold their guests to their MACs; a newer kernel has both"});
}

void AppendLostSpecs(const LeaseTable& leases, const SpecTexts& texts,
                     std::vector<Condition>* conditions) {
  constexpr size_t kMostNamed = 8;
  std::vector<std::string> lost;
  if (leases.texts().empty()) return;
  for (const auto& [tap, lease] : leases.all()) {
    const std::optional<std::string> why = texts.WhyLost(lease.spec);
    if (why.has_value()) lost.push_back(absl::StrCat(tap.text(), " (", *why, ")"));
  }
  if (lost.empty()) return;
  const size_t count = lost.size();
  lost.resize(std::min(count, kMostNamed));
  const absl::string_view more = count > kMostNamed ? ", ..." : "";
  conditions->push_back(
      {.type = "SPEC_LOST",
       .message = absl::StrCat("what ", count, " leases were granted cannot be read, and their ",
                               "guests are cut off: ", absl::StrJoin(lost, ", "), more),
       .remedy = "remove these TAPs and create them anew, or put the files of `state_dir` back",
       .for_all = "what some leases were granted cannot be read, and their guests are cut off"});
}

}  // namespace

absl::Status NetworkObserver::Look(bool* looked) {
  *looked = looks_.Take(parts_.clock()) || !seen_.has_value();
  if (!*looked) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, parts_.reconciler->Resync());
  SVNET_ASSIGN_OR_RETURN(seen_, parts_.infrastructure->Observe(links));
  return absl::OkStatus();
}

absl::StatusOr<NetworkStatus> NetworkObserver::Observe(bool* looked) {
  SVNET_RETURN_IF_ERROR(Look(looked));
  NetworkStatus status = {.infrastructure = *seen_, .conditions = seen_->conditions};
  AddConditions(&status.conditions);
  status.addresses_total = parts_.book->pool().total();
  status.addresses_reaping = static_cast<uint32_t>(parts_.book->retired_addresses());
  status.addresses_used = static_cast<uint32_t>(parts_.book->leases().size());
  return status;
}

void NetworkObserver::AddConditions(std::vector<Condition>* conditions) const {
  parts_.failure->AddConditions(conditions);
  parts_.reconciler->AddConditions(conditions);
  parts_.reaper->AddConditions(conditions);
  AppendUnpinnedPorts(parts_.book->leases(), conditions);
  AppendLostSpecs(parts_.book->leases(), *parts_.texts, conditions);
  parts_.closure->AddConditions(parts_.book->leases().size(), conditions);
}

absl::StatusOr<std::vector<Condition>> NetworkObserver::FindConditions() {
  std::vector<Condition> conditions;
  SVNET_RETURN_IF_ERROR(parts_.infrastructure->AddConditions(&conditions));
  AddConditions(&conditions);
  return conditions;
}

absl::StatusOr<NetworkMeasures> NetworkObserver::Measure() {
  NetworkMeasures measures;
  bool looked = false;
  SVNET_ASSIGN_OR_RETURN(measures.status, Observe(&looked));
  SVNET_ASSIGN_OR_RETURN(measures.drops, parts_.rules->ReadDrops());
  const auto& leases = parts_.book->leases().all();
  measures.attached = static_cast<uint32_t>(std::count_if(
      leases.begin(), leases.end(), [](const auto& each) { return each.second.state.attached; }));
  measures.retired = static_cast<uint32_t>(parts_.book->retired_taps());
  return measures;
}

}  // namespace svnet
