// UpdateTap.
#pragma once

#include "absl/status/statusor.h"
#include "daemon/base/clock.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"
#include "daemon/network/caller.h"
#include "daemon/network/requests.h"

namespace svnet {

class EventSink;
class Expiry;
class LeaseBook;
class NetworkRules;
class SpecTexts;

// Changes what is granted to a lease. Not thread-safe.
class LeaseUpdater {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    NetworkRules* rules;
    SpecTexts* texts;
    LeaseBook* book;
    Expiry* expiry;
    EventSink* events;
    Clock clock;
  };
  explicit LeaseUpdater(const Parts& parts) : parts_(parts) {}

  // The lease as it is then. STALE_GENERATION, INVALID_REQUEST for a process that the caller may
  // not bind it to, TAP_NOT_FOUND if the TAP is gone, TAP_CREATE_FAILED if the kernel refuses. An
  // error leaves it as it was, and perhaps a text that no lease names. A lease whose spec is lost
  // stays cut off, unless it gets another one.
  absl::StatusOr<Lease> Update(const Caller& caller, const Lease& lease,
                               const UpdateRequest& request);

 private:
  absl::Status Admit(const LeaseSpec& spec, Ifindex tap);
  absl::Status Commit(const LeaseSpec& spec, Ifindex tap);

  const Parts parts_;
};

}  // namespace svnet
