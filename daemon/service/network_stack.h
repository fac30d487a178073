// Everything behind the calls, from the kernel's sockets up.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/config/config.h"
#include "daemon/firewall/firewall.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/foreign/foreign_firewalls.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/network_api.h"
#include "daemon/network/network_health.h"
#include "daemon/network/network_registry.h"
#include "daemon/segment/network_settings.h"
#include "daemon/service/bridge_locks.h"
#include "daemon/store/folder_spec_store.h"

namespace svnet {

// Of all networks, the default one first.
std::vector<NetworkSettings> SettingsOf(const Config& config);

// SpecStore, Kernel, Reapers, Firewall, ForeignFirewalls -> ForeignFirewallReconciler ->
// NetworkRegistry -> NetworkApi. Created in this order and destroyed in reverse.
class NetworkStack {
 public:
  // Adopts what an earlier svnetd left. After an error nothing is left of it, and it may be tried
  // again. `events` must outlive it. `on_health`, `on_reaped`: see NetworkRegistry::Parts.
  // `locks`: gets those of its bridges.
  static absl::StatusOr<std::unique_ptr<NetworkStack>> Start(
      const Config& config, BridgeLocks* locks, EventSink* events,
      std::function<void(const HealthOfNetworks&)> on_health, std::function<void()> on_reaped);
  // The rules stay in force. No thread may use it any more.
  ~NetworkStack();

  // Those that it serves: the default one first, the others by name.
  const std::vector<NetworkConfig>& networks() const { return config_.networks; }
  // Serves more. InvalidArgument if one is in the way of one that stands; AlreadyExists if another
  // svnetd has its bridge. An error: none was added.
  absl::Status Add(const std::vector<NetworkConfig>& networks);
  // Whether that network, which has gone from the configuration or come back to it, takes no
  // leases.
  void SetClosed(const NetworkName& name, bool closed);

  NetworkApi& api() { return *api_; }
  NetworkRegistry& registry() { return *registry_; }
  // Of Housekeeping.
  std::vector<Reaper*> reapers() const;
  ForeignFirewallReconciler& foreign() { return *foreign_reconciler_; }

 private:
  NetworkStack(const Config& config, BridgeLocks* locks) : config_(config), locks_(*locks) {}

  absl::Status OpenHost();
  // Finds out which networks to serve.
  absl::Status PlanAll();
  absl::Status LockBridges(const std::vector<NetworkConfig>& networks);

  Config config_;  // as it was when it started, but for `networks`
  BridgeLocks& locks_;
  std::unique_ptr<FolderSpecStore> store_;
  std::unique_ptr<Kernel> kernel_;
  std::vector<std::unique_ptr<Reaper>> reapers_;
  std::unique_ptr<Firewall> firewall_;
  std::unique_ptr<ForeignFirewalls> foreign_;
  std::unique_ptr<ForeignFirewallReconciler> foreign_reconciler_;
  std::unique_ptr<NetworkRegistry> registry_;
  std::unique_ptr<NetworkApi> api_;
};

}  // namespace svnet
