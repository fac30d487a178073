// Ends leases: cuts their guests off and retires their TAPs, which are reaped later.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/clock.h"
#include "daemon/base/condition.h"
#include "daemon/base/link_name.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"
#include "daemon/network/retired_tap.h"
#include "daemon/network/tap_destroyer.h"

namespace svnet {

class EventSink;
class Expiry;
class FailureReporter;
class Infrastructure;
class LeaseBook;
class RepairLimit;
class Segment;

// Not thread-safe.
class TapReaper {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    Segment* segment;
    Infrastructure* infrastructure;
    LeaseBook* book;
    Expiry* expiry;
    RepairLimit* limit;
    EventSink* events;
    FailureReporter* failures;
    Clock clock;
  };
  explicit TapReaper(const Parts& parts) : parts_(parts) {}

  // Ends a lease: cuts the guest off, and retires its TAP. An error leaves the lease as it was.
  absl::Status Retire(const Lease& lease, const std::string& why);
  // Retires a TAP of ours that is not a lease.
  absl::Status RetireTap(Ifindex tap, const RetiredTap& what);
  // A lease whose TAP was deleted by another program is over.
  void EndVanished(const Lease& lease);

  // Renames the link of that name, if it is a retired TAP. False if another link has the name.
  absl::StatusOr<bool> FreeName(const LinkName& name);

  // TAPs that a TapDestroyer is to destroy. Undefined if LeaseBook::NextReap is nullopt.
  ReapPiece Take();
  // How that went: the addresses come back, or it is tried again. True if all is done.
  bool Finish(const ReapPiece& piece, const TapDestroyer::Result& result);

  // The error with which the last destruction has ended, since it was forgotten.
  const absl::Status& why_not_reaped() const { return why_not_reaped_; }
  void ForgetWhyNotReaped() { why_not_reaped_ = absl::OkStatus(); }

  // Appends what is wrong.
  void AddConditions(std::vector<Condition>* conditions) const;

 private:
  // `number`: which of the groups of retired TAPs.
  absl::Status MoveToRetiredGroup(Ifindex tap, uint32_t number, bool* gone);
  uint32_t NextGroup() const;
  ReapOutcome OutcomeOf(const TapDestroyer::Result& result) const;
  void NoteFlows(const ReapPiece& piece, const absl::Status& forgotten);
  // Flows could not be ended, again and again.
  bool CannotForgetFlows() const;
  // The lease was retired.
  void Forget(const Lease& lease, const std::string& why);

  const Parts parts_;
  absl::Status why_not_reaped_;
  // Since flows were last ended, by the number of the group.
  std::map<uint32_t, int> flow_failures_;
};

}  // namespace svnet
