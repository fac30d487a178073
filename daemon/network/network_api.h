// The calls of the contract.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/lease.h"
#include "daemon/network/caller.h"
#include "daemon/network/cleanup.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/network_registry.h"
#include "daemon/network/network_status.h"
#include "daemon/network/opened_tap.h"
#include "daemon/network/requests.h"
#include "daemon/network/watchers.h"

namespace svnet {

// Decides whether the caller may, waits for its turn, and finds the network.
//
// Failure: a call has its whole effect or none, except Cleanup, which may be repeated. Errors have
// one of the contract's reasons; one that IsTransient is worth another try when TAPs were reaped.
//
// Thread-safe: a CallTurn makes calls take turns.
class NetworkApi {
 public:
  // All must outlive it.
  NetworkApi(NetworkRegistry* registry, ForeignFirewallReconciler* foreign, EventSink* events)
      : registry_(registry), foreign_(foreign), events_(events) {}

  // The rpcs of the contract (proto/svnet/v1/network.proto), which says what they do.
  // `made`, if wanted: whether the lease is new.
  absl::StatusOr<Lease> CreateTap(const Caller& caller, const TapRequest& request,
                                  bool* made = nullptr);
  // The lease that was removed; nullopt if there was none.
  absl::StatusOr<std::optional<Lease>> RemoveTap(const Caller& caller,
                                                 const LeaseSelector& selector);
  absl::StatusOr<std::string> GetBootArgs(const Caller& caller, const BootArgsRequest& request);
  absl::StatusOr<Lease> GetTap(const Caller& caller, const LeaseSelector& selector);
  // Opens queues of a lease of the caller's, at most `most` more: see QueueOpener. The lease.
  absl::StatusOr<Lease> OpenQueues(const Caller& caller, const LeaseSelector& selector, size_t most,
                                   OpenedTap* opened);
  absl::StatusOr<Lease> UpdateTap(const Caller& caller, const UpdateRequest& request);
  // Does nothing yet: see Cleanup::GoOn.
  std::unique_ptr<Cleanup> BeginCleanup(const Caller& caller, const CleanupRequest& request) {
    return std::make_unique<Cleanup>(registry_, caller, request);
  }
  absl::StatusOr<LeasePage> ListTaps(const Caller& caller, const ListRequest& request);
  // The networks that the caller may use.
  std::vector<NetworkName> ListNetworks(const Caller& caller) const;
  // The state now, or, if others have asked very often, a moment ago: looking takes as long as many
  // calls, and the looks of all callers together are limited (NetworkObserver::kLooks).
  absl::StatusOr<NetworkStatus> GetNetwork(const Caller& caller, const NetworkName& name);
  // Of all networks.
  MeasuresOfNetworks Measure();
  // The leases that exist now, and then what happens. `wake`: see Watch.
  // `network_name` nullopt: of all networks.
  absl::StatusOr<std::shared_ptr<Watch>> WatchTaps(const Caller& caller,
                                                   const std::optional<NetworkName>& network_name,
                                                   std::function<void()> wake);
  // Ends all watches.
  void EndWatches(const absl::Status& why);

  // Of a network that exists.
  NetworkSettings SettingsOf(const NetworkName& name) const { return registry_->SettingsOf(name); }
  Ipv4Prefix PrefixOf(const Lease& lease) const { return registry_->PrefixOf(lease.spec.network); }

 private:
  absl::StatusOr<NetworkMeasures> MeasureOne(const NetworkName& name);
  absl::StatusOr<NetworkStatus> Observe(const Caller& caller, const NetworkName& name,
                                        bool* looked);

  NetworkRegistry* const registry_;
  ForeignFirewallReconciler* const foreign_;
  EventSink* const events_;
};

}  // namespace svnet
