#include "daemon/network/network_api.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/authorizer.h"
#include "daemon/network/call_turn.h"
#include "daemon/network/lease_view.h"
#include "daemon/network/network.h"
#include "daemon/network/reap_worker.h"

namespace svnet {
namespace {

// How often Cleanup of a network starts anew.
constexpr int kCleanupRounds = 8;

}  // namespace

absl::StatusOr<Lease> NetworkApi::CreateTap(const Caller& caller, const TapRequest& request,
                                            bool* made) {
  const Authorizer authorizer(caller);
  SVNET_ASSIGN_OR_RETURN(
      const LeaseKey key,
      authorizer.KeyFor({.owner = request.owner, .vm = request.vm, .iface = request.iface}));
  SVNET_RETURN_IF_ERROR(authorizer.CheckGroup(request.group));
  const CallTurn turn(registry_, request.network);
  SVNET_RETURN_IF_ERROR(turn.status());
  bool is_new = false;
  absl::StatusOr<Lease> lease =
      turn.network().CreateTap(caller, key, request, turn.HoldingsOf(key.owner), &is_new);
  if (made != nullptr) *made = is_new;
  return lease;
}

absl::StatusOr<std::optional<Lease>> NetworkApi::RemoveTap(const Caller& caller,
                                                           const LeaseSelector& selector) {
  const CallTurn turn(registry_, std::nullopt);
  SVNET_RETURN_IF_ERROR(turn.status());
  SVNET_ASSIGN_OR_RETURN(const Lease* found,
                         LeaseView(caller, turn.network().leases()).Find(selector));
  if (found == nullptr) return std::nullopt;
  std::optional<Lease> lease = *found;
  SVNET_RETURN_IF_ERROR(turn.network().RemoveTap(*lease));
  return lease;
}

absl::StatusOr<std::string> NetworkApi::GetBootArgs(const Caller& caller,
                                                    const BootArgsRequest& request) {
  const CallTurn turn(registry_, std::nullopt);
  SVNET_RETURN_IF_ERROR(turn.status());
  SVNET_ASSIGN_OR_RETURN(const Lease* lease,
                         LeaseView(caller, turn.network().leases()).Get(request.lease));
  return turn.network().BootArgsFor(*lease, request);
}

absl::StatusOr<Lease> NetworkApi::GetTap(const Caller& caller, const LeaseSelector& selector) {
  const CallTurn turn(registry_, std::nullopt);
  SVNET_RETURN_IF_ERROR(turn.status());
  SVNET_ASSIGN_OR_RETURN(const Lease* lease,
                         LeaseView(caller, turn.network().leases()).Get(selector));
  return *lease;
}

absl::StatusOr<Lease> NetworkApi::UpdateTap(const Caller& caller, const UpdateRequest& request) {
  const CallTurn turn(registry_, std::nullopt);
  SVNET_RETURN_IF_ERROR(turn.status());
  SVNET_ASSIGN_OR_RETURN(const Lease* lease,
                         LeaseView(caller, turn.network().leases()).Get(request.lease));
  return turn.network().UpdateTap(caller, *lease, request);
}

std::vector<NetworkName> NetworkApi::ListNetworks(const Caller& /*caller*/) {
  return registry_->names();
}

absl::StatusOr<CleanupResult> NetworkApi::Cleanup(const Caller& caller,
                                                  const CleanupRequest& request) {
  if (request.scope == CleanupScope::kNetwork) {
    SVNET_RETURN_IF_ERROR(Authorizer(caller).CheckNetworkCleanup());
    return CleanupAll(request.network);
  }
  const CallTurn turn(registry_, request.network);
  SVNET_RETURN_IF_ERROR(turn.status());
  return turn.network().CleanupOf(caller.uid);
}

absl::StatusOr<CleanupResult> NetworkApi::CleanupAll(const std::optional<NetworkName>& name) {
  ReapWorker worker(registry_, reaper_);
  uint32_t removed = 0;
  // Again if a TAP was made meanwhile, or flows were left.
  for (int round = 0; round < kCleanupRounds; ++round) {
    {
      const CallTurn turn(registry_, name);
      SVNET_RETURN_IF_ERROR(turn.status());
      SVNET_ASSIGN_OR_RETURN(const uint32_t retired, turn.network().RetireAll());
      removed += retired;
      if (!turn.network().HasTaps()) return turn.network().TakeAway(removed);
    }
    const absl::Status destroyed = worker.ReapAll().destroyed;
    if (!destroyed.ok()) {
      return WithReason(
          Reason::kBridgeSetupFailed,
          absl::StrCat("removed ", removed, " TAPs, but cannot destroy all of them (repeat it)"),
          destroyed);
    }
  }
  return Error(Reason::kBridgeSetupFailed,
               absl::StrCat("removed ", removed,
                            " TAPs, but new ones are made all the time (repeat "
                            "it)"));
}

absl::StatusOr<LeasePage> NetworkApi::ListTaps(const Caller& caller, const ListRequest& request) {
  const CallTurn turn(registry_, request.network);
  SVNET_RETURN_IF_ERROR(turn.status());
  return LeaseView(caller, turn.network().leases()).List(request);
}

absl::StatusOr<NetworkStatus> NetworkApi::GetNetwork(const Caller& caller,
                                                     const NetworkName& name) {
  bool looked = false;
  SVNET_ASSIGN_OR_RETURN(NetworkStatus status, Observe(caller, name, &looked));
  // In nobody's turn: to read other programs' rules takes milliseconds.
  const std::vector<Condition> others =
      looked ? foreign_->Conditions() : foreign_->KnownConditions();
  status.conditions.insert(status.conditions.end(), others.begin(), others.end());
  return status;
}

absl::StatusOr<NetworkStatus> NetworkApi::Observe(const Caller& caller, const NetworkName& name,
                                                  bool* looked) {
  const CallTurn turn(registry_, name);
  SVNET_RETURN_IF_ERROR(turn.status());
  absl::StatusOr<NetworkStatus> status = turn.network().Observe(looked);
  if (status.ok()) status->held = turn.HoldingsOf(caller.uid);
  return status;
}

absl::StatusOr<NetworkMeasures> NetworkApi::Measure() {
  const CallTurn turn(registry_, std::nullopt);
  SVNET_RETURN_IF_ERROR(turn.status());
  absl::StatusOr<NetworkMeasures> measures = turn.network().Measure();
  if (measures.ok()) measures->watchers = static_cast<uint32_t>(events_->watch_count());
  return measures;
}

absl::StatusOr<std::shared_ptr<Watch>> NetworkApi::WatchTaps(
    const Caller& caller, const std::optional<NetworkName>& network_name,
    std::function<void()> wake) {
  const CallTurn turn(registry_, network_name);
  SVNET_RETURN_IF_ERROR(turn.status());
  return events_->AddWatch(caller, LeaseView(caller, turn.network().leases()).Snapshot(),
                           std::move(wake));
}

void NetworkApi::EndWatches(const absl::Status& why) { events_->EndWatches(why); }

}  // namespace svnet
