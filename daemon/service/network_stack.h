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
#include "daemon/store/spec_store.h"

namespace svnet {

// Of all networks, the default one first.
std::vector<NetworkSettings> SettingsOf(const Config& config);

// SpecStore, Kernel, Reapers, Firewall, ForeignFirewalls -> ForeignFirewallReconciler ->
// NetworkRegistry -> NetworkApi. Created in this order and destroyed in reverse.
class NetworkStack {
 public:
  // Adopts what an earlier svnetd left. After an error nothing is left of it, and it may be tried
  // again. `events` must outlive it. `on_health`, `on_reaped`: see NetworkRegistry::Parts.
  static absl::StatusOr<std::unique_ptr<NetworkStack>> Start(
      const Config& config, EventSink* events,
      std::function<void(const HealthOfNetworks&)> on_health, std::function<void()> on_reaped);
  // The rules stay in force. No thread may use it any more.
  ~NetworkStack();

  NetworkApi& api() { return *api_; }
  NetworkRegistry& registry() { return *registry_; }
  // Of Housekeeping.
  std::vector<Reaper*> reapers() const;
  ForeignFirewallReconciler& foreign() { return *foreign_reconciler_; }

 private:
  NetworkStack() = default;

  absl::Status OpenHost(const Config& config);

  std::unique_ptr<SpecStore> store_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<Reaper> reaper_;  // of calls
  std::vector<std::unique_ptr<Reaper>> reapers_;
  std::unique_ptr<Firewall> firewall_;
  std::unique_ptr<ForeignFirewalls> foreign_;
  std::unique_ptr<ForeignFirewallReconciler> foreign_reconciler_;
  std::unique_ptr<NetworkRegistry> registry_;
  std::unique_ptr<NetworkApi> api_;
};

}  // namespace svnet
