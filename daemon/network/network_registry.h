// All networks of svnetd, and the calls of the contract.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
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
#include "daemon/firewall/firewall.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/caller.h"
#include "daemon/network/event_poller.h"
#include "daemon/network/network_health.h"
#include "daemon/network/network_status.h"
#include "daemon/network/requests.h"
#include "daemon/network/tap_destroyer.h"
#include "daemon/network/watchers.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

class ForeignFirewallReconciler;
struct ForeignFirewallReport;
class EventSink;
class Network;

// The kernel is the store: a lease is a TAP with an alias of ours, and what is known here only
// spares a dump. Each call first takes in what the kernel has said of changes. So far there is one
// network, "default".
//
// Failure: a call has its whole effect or none, except Cleanup, which may be repeated. Errors have
// one of the contract's reasons; one that IsPassing is worth another try when TAPs were reaped.
//
// Threads: any may call. One mutex makes calls take turns; it also guards the Kernel, the Firewall
// and all below. Housekeeping has the threads that run HandleEvents and Reap.
class NetworkRegistry {
 public:
  // What it works with; all must outlive it, and are its own from now on.
  struct Parts {
    Kernel* kernel;
    Reaper* reaper;
    Firewall* firewall;
    ForeignFirewallReconciler* foreign;
    EventSink* events;
    Clock clock;  // MonotonicNow
    std::function<absl::Time()> wall_clock = absl::Now;
    // Is told the health of the networks, at first and when it changes; must not call back.
    std::function<void(const NetworkHealth&)> on_health = [](const NetworkHealth&) {};
  };

  // Adopts what an earlier svnetd left, and if there are leases makes sure that their network is
  // whole. SUBNET_CONFLICT if the prefix overlaps what the host already has, unless our bridge has
  // it.
  static absl::StatusOr<std::unique_ptr<NetworkRegistry>> Start(const NetworkSettings& settings,
                                                                const Parts& parts);
  ~NetworkRegistry();

  // The rpcs of the contract (proto/svnet/v1/network.proto), which says what they do.
  // `made`, if wanted: whether the lease is new.
  absl::StatusOr<Lease> CreateTap(const Caller& caller, const TapRequest& request,
                                  bool* made = nullptr) ABSL_LOCKS_EXCLUDED(mutex_);
  // The lease that was removed; nullopt if there was none.
  absl::StatusOr<std::optional<Lease>> RemoveTap(const Caller& caller,
                                                 const LeaseSelector& selector)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::string> GetBootArgs(const Caller& caller, const BootArgsRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Lease> GetTap(const Caller& caller, const LeaseSelector& selector)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Lease> UpdateTap(const Caller& caller, const UpdateRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<CleanupResult> Cleanup(const Caller& caller, const CleanupRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<LeasePage> ListTaps(const Caller& caller, const ListRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The networks that the caller may use.
  std::vector<NetworkName> ListNetworks(const Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);
  // The state now, or, if others have asked very often, a moment ago: looking takes as long as many
  // calls, and the looks of all callers together are limited (NetworkObserver::kLooks).
  absl::StatusOr<NetworkStatus> GetNetwork(const Caller& caller, const NetworkName& name)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<NetworkMeasures> Measure() ABSL_LOCKS_EXCLUDED(mutex_);
  // The leases that exist now, and then what happens. `wake`: see Watch.
  // `network_name` nullopt: of all networks.
  absl::StatusOr<std::shared_ptr<Watch>> WatchTaps(const Caller& caller,
                                                   const std::optional<NetworkName>& network_name,
                                                   std::function<void()> wake)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all watches.
  void EndWatches(const absl::Status& why);

  // Publishes what was done to other programs' rules, and takes in what was found there.
  void NoteForeignFirewalls(const ForeignFirewallReport& report) ABSL_LOCKS_EXCLUDED(mutex_);

  // Readable when HandleEvents has something to do.
  int event_fd() const { return poller_fd_; }
  // Does what no caller asked for: repairs, ends leases. False if it cannot hear what the kernel
  // says: event_fd may stay readable, and everything is read again each time.
  bool HandleEvents() ABSL_LOCKS_EXCLUDED(mutex_);
  // How long to defer HandleEvents, because calls handle pending events themselves; zero or less
  // if no call ran recently.
  absl::Duration TimeUntilIdle() const;

  // Waits until there is something to Reap: true; false after StopWaiting.
  bool WaitForRetired() ABSL_LOCKS_EXCLUDED(mutex_);
  void StopWaiting() ABSL_LOCKS_EXCLUDED(mutex_);
  // Destroys retired TAPs, and frees their addresses. Calls go on in that time. One thread only.
  void Reap() ABSL_LOCKS_EXCLUDED(mutex_);

  const NetworkSettings& settings() const { return settings_; }
  // How many leases there are, as far as is known without asking the kernel.
  size_t lease_count() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  NetworkRegistry(const NetworkSettings& settings, const Parts& parts, EventPoller poller);

  absl::Status Begin() ABSL_LOCKS_EXCLUDED(mutex_);
  // The one network that there is so far.
  Network& network() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return *networks_.begin()->second; }

  // What every call does first.
  absl::Status BeginCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Has every network take in what has happened.
  absl::Status CatchUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What a call does last: others are told what it has changed.
  void EndCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReportHealth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Holdings HoldingsOf(uid_t owner) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // NETWORK_NOT_FOUND if there is none of that name; nullopt means all.
  absl::Status CheckNetwork(const std::optional<NetworkName>& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<NetworkStatus> Observe(const Caller& caller, const NetworkName& name, bool* looked)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<absl::Time> NextReap() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Another program filters what is forwarded.
  void NoteForwardFilter(const std::string& whose) ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls follow each other at least so fast.
  static constexpr absl::Duration kIdleAfter = absl::Milliseconds(1);

  const NetworkSettings settings_;
  const Parts parts_;
  std::atomic<int64_t> last_call_ = 0;  // nanoseconds of the clock
  TapDestroyer destroyer_;              // for Reap, and while nothing is taken for the others

  Mutex mutex_;
  std::condition_variable_any changed_;  // what is retired, or stopped_
  Kernel* const kernel_ ABSL_PT_GUARDED_BY(mutex_);
  EventPoller poller_ ABSL_GUARDED_BY(mutex_);
  const int poller_fd_;
  std::map<NetworkName, std::unique_ptr<Network>> networks_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Time> awaited_reap_ ABSL_GUARDED_BY(mutex_);  // see WaitForRetired
  std::optional<NetworkHealth> reported_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace svnet
