// All networks of svnetd, and the lock under which they work.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/base/network_name.h"
#include "daemon/firewall/firewall.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/ids.h"
#include "daemon/network/added_network.h"
#include "daemon/network/network_health.h"
#include "daemon/segment/network_settings.h"
#include "daemon/store/spec_store.h"

namespace svnet {

class ForeignFirewallReconciler;
struct ForeignFirewallReport;
class EventSink;
class NetworkMembers;
class NetworkUpkeep;

// The kernel is the store: a lease is a TAP with an alias of ours, and what is known here only
// spares a dump.
//
// Threads: any may call. The mutex guards the networks, the Kernel, the Firewall and all below: a
// CallTurn has it. Housekeeping has the threads that run HandleEvents, and a ReapWorker.
class NetworkRegistry {
 public:
  // What it works with; all must outlive it, and are its own from now on.
  struct Parts {
    Kernel* kernel;
    Firewall* firewall;
    SpecStore* store;
    ForeignFirewallReconciler* foreign;
    EventSink* events;
    Clock clock;  // MonotonicNow
    std::function<absl::Time()> wall_clock = absl::Now;
    // Is told the health of the networks, at first and when it changes; must not call back.
    std::function<void(const HealthOfNetworks&)> on_health = [](const HealthOfNetworks&) {};
    // Is called without locks when TAPs were reaped: calls that wait for addresses or ports may try
    // again.
    std::function<void()> on_reaped = [] {};
  };

  // Adopts what an earlier svnetd left, and if there are leases makes sure that their network is
  // whole. SUBNET_CONFLICT if the prefix overlaps what the host already has, unless our bridge has
  // it.
  // `settings`: the default network first.
  static absl::StatusOr<std::unique_ptr<NetworkRegistry>> Start(
      const std::vector<NetworkSettings>& settings, const Parts& parts);
  ~NetworkRegistry();

  // Serves more networks: their names are new. An error: nothing has changed.
  absl::Status Add(const std::vector<AddedNetwork>& networks) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether that network takes no new leases, because it has gone from the configuration.
  void SetClosed(const NetworkName& name, bool closed) ABSL_LOCKS_EXCLUDED(mutex_);

  // Publishes what was done to other programs' rules, and takes in what was found there.
  void NoteForeignFirewalls(const ForeignFirewallReport& report) ABSL_LOCKS_EXCLUDED(mutex_);

  // Readable when HandleEvents has something to do.
  int event_fd() const { return event_fd_; }
  // Does what no caller asked for: repairs, ends leases. False if it cannot hear what the kernel
  // says: event_fd may stay readable, and everything is read again each time.
  bool HandleEvents() ABSL_LOCKS_EXCLUDED(mutex_);
  // How long to defer HandleEvents, because a call runs, which would wait, or the next one handles
  // pending events itself; zero or less if none has ended just now.
  absl::Duration TimeUntilIdle() const;

  // No ReapWorker waits any more.
  void StopWaiting() ABSL_LOCKS_EXCLUDED(mutex_);

  // The last call, when svnetd ends: the rules stay in force, and other programs can list and
  // change them.
  absl::Status DisownRules() ABSL_LOCKS_EXCLUDED(mutex_);

  // Of all networks, the default one first.
  std::vector<NetworkSettings> settings() ABSL_LOCKS_EXCLUDED(mutex_);
  // Of a network that exists.
  NetworkSettings SettingsOf(const NetworkName& name) ABSL_LOCKS_EXCLUDED(mutex_);
  Ipv4Prefix PrefixOf(const NetworkName& name) ABSL_LOCKS_EXCLUDED(mutex_);
  // How many leases there are, as far as is known without asking the kernel.
  size_t lease_count() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class CallTurn;
  friend class ReapWorker;

  NetworkRegistry(std::unique_ptr<NetworkUpkeep> upkeep, const Parts& parts);

  // Has every network take in what has happened.
  void CatchUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells others what was changed, and deletes what it left.
  void EndTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What other programs' firewalls mean for guests.
  void NoteForeignConditions() ABSL_LOCKS_EXCLUDED(mutex_);
  // Another program filters what is forwarded.
  void NoteForwardFilter(const std::string& whose) ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on, for so long.
  void LeaveEventsToCalls(absl::Duration time);

  // Calls follow each other at least so fast.
  static constexpr absl::Duration kIdleAfter = absl::Milliseconds(1);
  // Events wait no longer for one.
  static constexpr absl::Duration kLongestCall = absl::Milliseconds(10);

  const Parts parts_;
  std::atomic<int64_t> events_left_until_ = 0;  // nanoseconds of the clock

  Mutex mutex_;
  std::condition_variable_any changed_;  // what is retired, or stopped_
  const int event_fd_;
  const std::unique_ptr<NetworkUpkeep> upkeep_ ABSL_PT_GUARDED_BY(mutex_);
  NetworkMembers* const members_ ABSL_PT_GUARDED_BY(mutex_);        // those that upkeep_ is for
  std::optional<absl::Time> awaited_reap_ ABSL_GUARDED_BY(mutex_);  // by a ReapWorker
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace svnet
