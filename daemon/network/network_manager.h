// Every decision of svnetd, and its only mutable state.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/mutex.h"
#include "daemon/base/token_bucket.h"
#include "daemon/firewall/firewall.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/boot_args.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lease.h"
#include "daemon/network/caller.h"
#include "daemon/network/coexistence.h"
#include "daemon/network/lease_keeper.h"
#include "daemon/network/network_health.h"
#include "daemon/network/network_setup.h"
#include "daemon/network/watchers.h"

namespace svnet {

struct TapRequest {
  VmId vm;
  IfaceId iface;
  std::optional<Ipv4Address> ip;
  std::optional<MacAddress> mac;  // unicast
  std::optional<uid_t> owner;     // nullopt: the caller
  std::optional<gid_t> group;
  int queues = 1;     // pairs, 1 to 256
  Lifetime lifetime;  // BoundToProcess: its pid counts
};

// A lease by its ids; owner nullopt: the caller's.
struct LeaseIds {
  std::optional<uid_t> owner;
  VmId vm;
  IfaceId iface;
};
using LeaseSelector = std::variant<LinkName, LeaseIds>;

struct BootArgsRequest {
  LeaseSelector lease;
  LinkName guest_interface;
  HostName hostname;
  std::vector<Ipv4Address> dns_servers;  // at most two
};

enum class CleanupScope { kCaller, kNetwork };

struct CleanupResult {
  uint32_t taps_removed = 0;
  bool bridge_removed = false;
  bool nat_removed = false;
};

struct LeasePage {
  std::vector<Lease> leases;  // by TAP name
  bool more = false;          // there are some after these
};

struct NetworkStatus {
  NetworkSetup::Status setup;  // all conditions are in here
  uint32_t addresses_total = 0;
  uint32_t addresses_used = 0;     // by leases
  uint32_t addresses_reaping = 0;  // by TAPs that are dying
};

// What there is to count (GetNetwork's, and more).
struct NetworkMeasures {
  NetworkStatus status;
  uint32_t attached = 0;  // leases whose TAP a VMM holds open
  uint32_t dying = 0;     // TAPs that are cut off and not yet destroyed
  uint32_t watchers = 0;
  std::vector<DropCount> drops;
};

// One network and its leases.
//
// The kernel is the store: a lease is a TAP with an alias of ours, and what is kept
// here only spares a dump. Each call first takes in what the kernel has said of changes.
//
// Failure: a call has its whole effect or none, except for Cleanup, which may be
// repeated. Errors have one of the contract's reasons; one that IsPassing is worth to be
// tried again after `on_reaped`.
//
// Threads: any may call. One mutex makes calls take turns; it also guards the Kernel
// and the Firewall. Whoever makes it also runs Attend and Reap (Housekeeping does).
class NetworkManager {
 public:
  // What it works with; all must outlive it, and are its own from now on.
  struct Parts {
    Kernel* kernel;
    Reaper* reaper;
    Firewall* firewall;
    // nullptr: nobody looks at other people's packet filters.
    Coexistence* coexistence = nullptr;
    LeaseKeeper::Clock clock;  // MonotonicNow
    std::function<absl::Time()> wall_clock = absl::Now;
    // Is told what svnetd did unasked; must not call back.
    LeaseKeeper::Publish on_event;
    // Is told how the network is, at first and when that changes; must not call back.
    std::function<void(const NetworkHealth&)> on_health = [](const NetworkHealth&) {};
  };

  // Adopts what an earlier svnetd left, and if there are leases makes sure that their
  // network stands. SUBNET_CONFLICT if the prefix overlaps what the host already has,
  // unless our bridge holds it already.
  static absl::StatusOr<std::unique_ptr<NetworkManager>> Start(const NetworkSettings& settings,
                                                               const Parts& parts);

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
  absl::StatusOr<CleanupResult> Cleanup(const Caller& caller, CleanupScope scope)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Those whose TAP name comes after `after` (nullopt: all), at most `limit`.
  absl::StatusOr<LeasePage> ListTaps(const Caller& caller, const std::optional<LinkName>& after,
                                     size_t limit) ABSL_LOCKS_EXCLUDED(mutex_);
  // As the host is now, or, if others have asked very often, was a moment ago: to look takes as
  // long as many calls, and the looks of all callers together are limited (kLooks).
  absl::StatusOr<NetworkStatus> GetNetwork() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<NetworkMeasures> Measure() ABSL_LOCKS_EXCLUDED(mutex_);
  // What stands now, and then what happens. `wake`: see Watch.
  absl::StatusOr<std::shared_ptr<Watch>> WatchTaps(const Caller& caller, std::function<void()> wake)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whoever is waiting for addresses or ports may try again: called without locks after
  // each Reap. Set it before there are threads.
  void SetOnReaped(std::function<void()> on_reaped) { on_reaped_ = std::move(on_reaped); }

  // Readable when Attend has something to do.
  int attention_fd() ABSL_LOCKS_EXCLUDED(mutex_);
  // Does what nobody asked for: repairs, ends leases. False if it cannot hear what the
  // kernel says: attention_fd may stay readable, and what it says is read anew each time.
  bool Attend() ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls follow each other, and each does what Attend would before anything else: there
  // is no need for it before this has passed. Zero or less: none was lately.
  absl::Duration BusyFor() const;

  // Waits until there is something to Reap: true; false after StopWaiting.
  bool WaitForRetired() ABSL_LOCKS_EXCLUDED(mutex_);
  void StopWaiting() ABSL_LOCKS_EXCLUDED(mutex_);

  // How often GetNetwork and Measure look anew.
  static constexpr TokenBucket::Rate kLooks = {.burst = 20, .per_second = 4};

  // Destroys what is dying, and frees its addresses. Calls go on meanwhile.
  void Reap() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends all watches.
  void EndWatches(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);

  const NetworkSettings& settings() const { return settings_; }
  // How many leases stand, as far as is known without asking the kernel.
  size_t lease_count() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct OpenedTap {
    LinkName name;
    std::unique_ptr<OpenTap> device;
  };

  NetworkManager(const NetworkSettings& settings, const Parts& parts);

  absl::Status Begin() ABSL_LOCKS_EXCLUDED(mutex_);
  // As LeaseKeeper has it, and says how things then are.
  absl::Status CatchUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReportHealth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Sets `looked` if it has looked at the host.
  absl::StatusOr<NetworkStatus> Observe(bool* looked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Looks at the host, unless that was done very often.
  absl::Status Look(bool* looked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Whose key it is; PERMISSION_DENIED if the caller may not speak for that owner.
  static absl::StatusOr<LeaseKey> KeyFor(const Caller& caller, const LeaseIds& ids);
  // The caller's lease, or any for an administrator; nullptr if there is none.
  absl::StatusOr<const Lease*> FindLease(const Caller& caller, const LeaseSelector& selector)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The process of a lifetime that is bound to one, otherwise one without a pidfd;
  // INVALID_REQUEST if the caller may not bind a lease to it.
  absl::StatusOr<Process> OpenProcessFor(const Caller& caller, const Lifetime& lifetime)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // But for what Coexistence knows.
  absl::StatusOr<NetworkStatus> GetOwnNetwork(bool* looked) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<Lease> MakeTap(const Caller& caller, const LeaseKey& key,
                                const TapRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Lease> MakeTapOn(const Bridge& bridge, const LeaseKey& key,
                                  const TapRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // BRIDGE_FULL if there is no port for another TAP.
  absl::Status CheckPorts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // QUOTA_EXCEEDED if the caller may not have another lease of this owner's.
  absl::Status CheckQuota(const Caller& caller, uid_t owner, int queues)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<OpenedTap> OpenTapFor(const LeaseKey& key, const TapRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // As Kernel::OpenNewTap, and a TAP that is dying is not in its way.
  absl::StatusOr<std::unique_ptr<OpenTap>> OpenNewTap(const TapSpec& spec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Ipv4Address> PickAddress(const TapRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<MacAddress> PickMac(const TapRequest& request, const MacAddress& bridge)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The TAPs of that owner that are leases, and those of ours that are none.
  absl::StatusOr<std::vector<Ifindex>> TapsOf(uid_t owner) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<CleanupResult> CleanupOf(uid_t owner) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<CleanupResult> CleanupAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status DestroyTaps(const std::set<Ifindex>& taps);
  // Tells Coexistence that the network stands, if it does not know.
  void Serve() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Says in the log what svnetd has changed of what is the whole host's.
  void Note(const std::string& what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteForwarding() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Another program filters what is forwarded.
  void NoteForwardFilter(const std::string& whose) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status DestroyAll(const std::vector<Link>& links) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // An exhausted resource that dying TAPs will give back is only passing.
  absl::Status Exhausted(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What every call does first.
  absl::Status BeginCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static constexpr absl::Duration kBusy = absl::Milliseconds(1);

  const NetworkSettings settings_;
  const LeaseKeeper::Clock clock_;
  const std::function<absl::Time()> wall_clock_;
  const LeaseKeeper::Publish on_event_;
  const std::function<void(const NetworkHealth&)> on_health_;
  std::function<void()> on_reaped_;
  std::atomic<int64_t> last_call_ = 0;  // nanoseconds of clock_

  Mutex mutex_;
  std::condition_variable_any changed_;  // of what is dying, or stopped_
  Kernel* const kernel_ ABSL_PT_GUARDED_BY(mutex_);
  // Used by Reap for what it has taken, and by others while nothing is taken.
  Reaper* const reaper_;
  Firewall* const firewall_ ABSL_PT_GUARDED_BY(mutex_);
  Coexistence* const coexistence_;
  Watchers watchers_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<LeaseKeeper> keeper_ ABSL_GUARDED_BY(mutex_);
  std::optional<NetworkHealth> reported_ ABSL_GUARDED_BY(mutex_);
  TokenBucket looks_ ABSL_GUARDED_BY(mutex_){kLooks};
  std::optional<NetworkSetup::Status> seen_ ABSL_GUARDED_BY(mutex_);  // by the last look
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool serves_ ABSL_GUARDED_BY(mutex_) = false;  // Coexistence knows
};

}  // namespace svnet
