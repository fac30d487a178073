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
#include "daemon/network/network_members.h"

namespace svnet {
namespace {

// Who measures.
const Caller kSvnetd = {.uid = 0, .gid = 0, .groups = {}, .administrator = true};

// nullptr: the caller has none.
absl::StatusOr<const Lease*> Find(const Caller& caller, const NetworkMembers& networks,
                                  const LeaseSelector& selector) {
  const LeaseView all(caller, networks.Leases(std::nullopt));
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, all.Find(selector));
  // It may be on a network that cannot tell now.
  SVNET_RETURN_IF_ERROR(lease == nullptr ? networks.StatusFor(caller)
                                         : networks.StatusOf(lease->spec.network));
  return lease;
}

absl::StatusOr<const Lease*> Get(const Caller& caller, const NetworkMembers& networks,
                                 const LeaseSelector& selector) {
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, Find(caller, networks, selector));
  if (lease != nullptr) return lease;
  return LeaseView(caller, networks.Leases(std::nullopt)).Get(selector);
}

}  // namespace

absl::StatusOr<Lease> NetworkApi::CreateTap(const Caller& caller, const TapRequest& request,
                                            bool* made) {
  const Authorizer authorizer(caller);
  SVNET_ASSIGN_OR_RETURN(
      const LeaseKey key,
      authorizer.KeyFor({.owner = request.owner, .vm = request.vm, .iface = request.iface}));
  SVNET_RETURN_IF_ERROR(authorizer.CheckGroup(request.group));
  const NetworkName name = request.network.value_or(NetworkName());
  const CallTurn turn(registry_, caller, name, CallTurn::AsksItself());
  SVNET_RETURN_IF_ERROR(turn.status());
  NetworkMembers& networks = turn.networks();
  // A lease that stands is answered by the network that it is on.
  Network* network = networks.FindWith(key);
  if (network == nullptr) network = &networks.Get(name);
  SVNET_RETURN_IF_ERROR(networks.StatusOf(network->settings().name));
  bool is_new = false;
  absl::StatusOr<Lease> lease =
      network->CreateTap(caller, key, request, networks.HoldingsOf(key.owner), &is_new);
  if (made != nullptr) *made = is_new;
  return lease;
}

absl::StatusOr<std::optional<Lease>> NetworkApi::RemoveTap(const Caller& caller,
                                                           const LeaseSelector& selector) {
  const CallTurn turn(registry_, caller, std::nullopt, CallTurn::AsksItself());
  SVNET_ASSIGN_OR_RETURN(const Lease* found, Find(caller, turn.networks(), selector));
  if (found == nullptr) return std::nullopt;
  std::optional<Lease> lease = *found;
  SVNET_RETURN_IF_ERROR(turn.networks().Get(lease->spec.network).RemoveTap(*lease));
  return lease;
}

absl::StatusOr<std::string> NetworkApi::GetBootArgs(const Caller& caller,
                                                    const BootArgsRequest& request) {
  const CallTurn turn(registry_, caller, std::nullopt, CallTurn::AsksItself());
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, Get(caller, turn.networks(), request.lease));
  return turn.networks().Get(lease->spec.network).BootArgsFor(*lease, request);
}

absl::StatusOr<Lease> NetworkApi::GetTap(const Caller& caller, const LeaseSelector& selector) {
  const CallTurn turn(registry_, caller, std::nullopt, CallTurn::AsksItself());
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, Get(caller, turn.networks(), selector));
  return *lease;
}

absl::StatusOr<Lease> NetworkApi::OpenQueues(const Caller& caller, const LeaseSelector& selector,
                                             size_t most, OpenedTap* opened) {
  const CallTurn turn(registry_, caller, std::nullopt, CallTurn::AsksItself());
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, Get(caller, turn.networks(), selector));
  SVNET_RETURN_IF_ERROR(turn.networks().Get(lease->spec.network).OpenQueues(*lease, most, opened));
  return *lease;
}

absl::StatusOr<Lease> NetworkApi::UpdateTap(const Caller& caller, const UpdateRequest& request) {
  const CallTurn turn(registry_, caller, std::nullopt, CallTurn::AsksItself());
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, Get(caller, turn.networks(), request.lease));
  return turn.networks().Get(lease->spec.network).UpdateTap(caller, *lease, request);
}

std::vector<NetworkName> NetworkApi::ListNetworks(const Caller& caller) const {
  std::vector<NetworkName> names;
  for (const NetworkSettings& each : registry_->settings()) {
    if (Authorizer(caller).MayUse(each)) names.push_back(each.name);
  }
  return names;
}

absl::StatusOr<LeasePage> NetworkApi::ListTaps(const Caller& caller, const ListRequest& request) {
  const CallTurn turn(registry_, caller, request.network);
  SVNET_RETURN_IF_ERROR(turn.status());
  return LeaseView(caller, turn.networks().Leases(request.network)).List(request);
}

absl::StatusOr<NetworkStatus> NetworkApi::GetNetwork(const Caller& caller,
                                                     const NetworkName& name) {
  bool looked = false;
  SVNET_ASSIGN_OR_RETURN(NetworkStatus status, Observe(caller, name, &looked));
  // In nobody's turn: to read other programs' rules takes milliseconds.
  for (Condition& each : looked ? foreign_->Conditions() : foreign_->KnownConditions()) {
    if (each.network == name) status.conditions.push_back(std::move(each));
  }
  return status;
}

absl::StatusOr<NetworkStatus> NetworkApi::Observe(const Caller& caller, const NetworkName& name,
                                                  bool* looked) {
  const CallTurn turn(registry_, caller, name, CallTurn::AsksItself());
  SVNET_RETURN_IF_ERROR(turn.status());
  NetworkMembers& networks = turn.networks();
  SVNET_ASSIGN_OR_RETURN(NetworkStatus status, networks.Observe(name, looked));
  status.held = networks.HoldingsOf(caller.uid);
  return status;
}

MeasuresOfNetworks NetworkApi::Measure() {
  MeasuresOfNetworks all;
  for (const NetworkSettings& each : registry_->settings()) {
    // A turn for each: others' calls come between.
    all.emplace(each.name, MeasureOne(each.name));
  }
  return all;
}

absl::StatusOr<NetworkMeasures> NetworkApi::MeasureOne(const NetworkName& name) {
  const CallTurn turn(registry_, kSvnetd, name);
  SVNET_RETURN_IF_ERROR(turn.status());
  SVNET_ASSIGN_OR_RETURN(NetworkMeasures measures, turn.networks().Get(name).Measure());
  measures.watchers = static_cast<uint32_t>(events_->watch_count());
  return measures;
}

absl::StatusOr<std::shared_ptr<Watch>> NetworkApi::WatchTaps(
    const Caller& caller, const std::optional<NetworkName>& network_name,
    std::function<void()> wake) {
  const CallTurn turn(registry_, caller, network_name);
  SVNET_RETURN_IF_ERROR(turn.status());
  return events_->AddWatch(caller, network_name,
                           LeaseView(caller, turn.networks().Leases(network_name)).Snapshot(),
                           std::move(wake));
}

void NetworkApi::EndWatches(const absl::Status& why) { events_->EndWatches(why); }

}  // namespace svnet
