// What all leases of a network share: its segment and its rules.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"
#include "daemon/network/network_rules.h"
#include "daemon/network/network_status.h"
#include "daemon/segment/network_settings.h"
#include "daemon/segment/segment.h"

namespace svnet {

class LeaseBook;
class PrefixConflict;
class RouteObserver;

// Ensures both, in the order in which no packet passes that should not, and takes both away in the
// other one. Not thread-safe. Every error has a reason of the contract.
class Infrastructure {
 public:
  // What it works with must outlive it.
  Infrastructure(const NetworkSettings& settings, LeaseBook* book, Segment* segment,
                 NetworkRules* rules, RouteObserver* routes, PrefixConflict* conflict);

  // SUBNET_CONFLICT: see Segment.
  absl::Status CheckPrefix();
  // Whether an earlier svnetd left its bridge, or rules: then Ensure also removes leftovers of
  // TAPs that were never committed.
  absl::StatusOr<bool> WasLeft();

  // At start, before the rules of all networks are made: makes the link, or finds it.
  void Prepare();

  // What Ensure did.
  struct Change {
    SegmentChange segment;
    NetworkRules::Change rules;
    bool in_use = false;  // there were leases
    // What had drifted and was repaired, for people; empty: nothing.
    std::string repaired;
    // The same, as TapEvent has it.
    std::vector<absl::string_view> repaired_things;
  };
  enum class For { kLeases, kNewLease };
  // Makes it all true, with every lease connected; costs nothing if it is. Forwarding is turned
  // on only for leases, or a new one. An error leaves nothing that was not there before, except
  // what leases need.
  absl::StatusOr<Change> Ensure(For whom = For::kLeases);
  // Takes back what that call of Ensure did, except what leases need.
  void Undo(const Change& change);

  // Cuts the guest of a lease off, at once.
  absl::Status Disconnect(const Lease& lease);
  // Takes back Disconnect.
  absl::Status Reconnect(const Lease& lease);

  // What the kernel has said of changes.
  void Note(const KernelChanges& changes);
  // Whether Ensure has succeeded, and that was not taken back since.
  bool WasEnsured() const { return was_ensured_; }
  // Whether Ensure would do anything.
  bool IsDirty() const { return segment_.IsDirty() || rules_.IsDirty(); }

  // Has guests leave as the host's routes are now, if that may have changed.
  absl::Status FollowRoutes();

  struct Released {
    bool bridge_removed = false;
    bool nat_removed = false;
    bool forwarding_off = false;
  };
  // Takes it all away, except a bridge that svnetd did not make.
  absl::StatusOr<Released> Release();

  // From all links of the host.
  absl::StatusOr<InfrastructureStatus> Observe(const std::vector<Link>& links);
  // Appends what is wrong, as far as it is known without asking for all links.
  absl::Status AddConditions(std::vector<Condition>* conditions);

 private:
  absl::StatusOr<Change> EnsureAll(For whom);
  absl::StatusOr<Released> ReleaseAll();
  absl::StatusOr<InfrastructureStatus> ObserveAll(const std::vector<Link>& links);
  absl::Status Explain(const absl::Status& cause) const;

  const LinkName bridge_;
  LeaseBook& book_;
  Segment& segment_;
  NetworkRules& rules_;
  RouteObserver& routes_;
  PrefixConflict& conflict_;
  bool was_ensured_ = false;
};

}  // namespace svnet
