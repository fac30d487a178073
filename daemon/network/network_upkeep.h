// What is done for all networks in each turn.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/network_name.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/condition_log.h"
#include "daemon/network/event_poller.h"
#include "daemon/network/network_health.h"
#include "daemon/network/networks.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

// Has the networks take in what has happened on the host, and tells others how they are. No lock:
// NetworkRegistry has it.
class NetworkUpkeep {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    Firewall* firewall;
    SpecStore* store;
    ForeignFirewallReconciler* foreign;
    EventSink* events;
    Clock clock;
    std::function<absl::Time()> wall_clock;
    std::function<void(const HealthOfNetworks&)> on_health;  // see NetworkRegistry::Parts
  };
  // `settings`: the default network first.
  static absl::StatusOr<std::unique_ptr<NetworkUpkeep>> Create(
      const std::vector<NetworkSettings>& settings, const Parts& parts);

  Networks& networks() { return networks_; }
  // Readable when CatchUp or LogConditions has something to do.
  int event_fd() const { return poller_.fd(); }

  // See Networks::Begin. A network that is alone has started if it has caught up, too.
  absl::Status Begin();
  // At the beginning of a turn: has every network take in what has happened. To be followed by
  // Settle.
  void CatchUp();
  // Deletes what nobody needs any more, and reports the health of the networks.
  void Settle();

  // Logs which conditions have begun and ended, if that is due.
  void LogConditions();
  // What other programs' firewalls mean for guests was looked at: those networks are blocked by
  // them. True if that is new.
  bool NoteBlocked(const std::set<NetworkName>& blocked);

 private:
  NetworkUpkeep(const std::vector<NetworkSettings>& settings, const Parts& parts,
                EventPoller poller);

  void ReportHealth();
  // One of the conditions may have begun or ended.
  void LogConditionsSoon();
  void ArmTimer();

  const Parts parts_;
  EventPoller poller_;
  Networks networks_;
  std::optional<absl::Time> due_;  // of the networks
  ConditionLog condition_log_;
  std::optional<HealthOfNetworks> reported_;
  // Those of which other programs' firewalls drop what guests send or get.
  std::set<NetworkName> blocked_by_others_;
};

}  // namespace svnet
