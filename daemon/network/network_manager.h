// Every decision of svnetd, and its only mutable state.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/mutex.h"
#include "daemon/firewall/firewall.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/address_pool.h"
#include "daemon/network/adoption.h"
#include "daemon/network/boot_args.h"
#include "daemon/network/caller.h"
#include "daemon/network/ids.h"
#include "daemon/network/lease.h"
#include "daemon/network/lease_table.h"
#include "daemon/network/network_setup.h"

namespace svnet {

struct TapRequest {
  VmId vm;
  IfaceId iface;
  std::optional<Ipv4Address> ip;
  std::optional<MacAddress> mac;  // unicast
  std::optional<uid_t> owner;     // nullopt: the caller
  std::optional<gid_t> group;
  int queues = 1;  // pairs, 1 to 256
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
  uint32_t addresses_used = 0;
};

// One network and its leases.
//
// The kernel is the store: a lease is a TAP with an alias of ours, and what is kept
// here only spares a dump. Whatever may have changed underneath is read anew.
//
// Failure: a call has its whole effect or none, except for Cleanup, which may be
// repeated. Errors have one of the contract's reasons.
//
// Threads: any may call. One mutex makes calls take turns; it also guards the Kernel
// and the Firewall.
class NetworkManager {
 public:
  // Adopts what an earlier svnetd left, and if there are leases makes sure that their
  // network stands. SUBNET_CONFLICT if the prefix overlaps what the host already has,
  // unless our bridge holds it already. `kernel` and `firewall` must outlive it, and
  // are its own from now on.
  static absl::StatusOr<std::unique_ptr<NetworkManager>> Start(const NetworkSettings& settings,
                                                               Kernel* kernel, Firewall* firewall);

  // The rpcs of the contract (proto/svnet/v1/network.proto), which says what they do.
  absl::StatusOr<Lease> CreateTap(const Caller& caller, const TapRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
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
  absl::StatusOr<NetworkStatus> GetNetwork() ABSL_LOCKS_EXCLUDED(mutex_);

  const NetworkSettings& settings() const { return settings_; }
  // How many leases stand, as far as is known without asking the kernel.
  size_t lease_count() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct OpenedTap {
    LinkName name;
    std::unique_ptr<OpenTap> device;
  };

  NetworkManager(const NetworkSettings& settings, Kernel* kernel, Firewall* firewall);

  absl::Status Begin() ABSL_LOCKS_EXCLUDED(mutex_);

  // Reads the leases anew from the kernel; all its links. Does nothing to the firewall.
  absl::StatusOr<std::vector<Link>> ReadLeases() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The same, and guards the TAPs that have come, and nobody's that has gone.
  absl::StatusOr<std::vector<Link>> Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The caller's lease, or any for an administrator; nullptr if there is none.
  absl::StatusOr<Lease*> FindLease(const Caller& caller, const LeaseSelector& selector)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // As in the table, if its TAP is still there; otherwise as Refresh finds it.
  absl::StatusOr<Lease*> FindStanding(const LeaseKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::StatusOr<Lease> MakeTap(const Caller& caller, const LeaseKey& key,
                                const TapRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Lease> MakeTapOn(const Bridge& bridge, const LeaseKey& key,
                                  const TapRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // QUOTA_EXCEEDED if the caller may not have another lease of this owner's.
  absl::Status CheckQuota(const Caller& caller, uid_t owner) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<OpenedTap> OpenTapFor(const LeaseKey& key, const TapRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Ipv4Address> PickAddress(const TapRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<MacAddress> PickMac(const TapRequest& request, const MacAddress& bridge)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Status RemoveTaps(const std::vector<Link>& taps, CleanupResult* result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const NetworkSettings settings_;

  Mutex mutex_;
  Kernel* const kernel_ ABSL_PT_GUARDED_BY(mutex_);
  NetworkSetup setup_ ABSL_GUARDED_BY(mutex_);
  AddressPool pool_ ABSL_GUARDED_BY(mutex_);
  LeaseTable leases_ ABSL_GUARDED_BY(mutex_);
  std::vector<Condition> conditions_ ABSL_GUARDED_BY(mutex_);  // of the last Refresh
};

}  // namespace svnet
