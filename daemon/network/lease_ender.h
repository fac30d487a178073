// Ends leases that are over.
#pragma once

#include "absl/status/status.h"
#include "daemon/base/clock.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"

namespace svnet {

class Expiry;
class FailureReporter;
class LeaseBook;
class LinkObserver;
class TapReaper;

// Not thread-safe. What cannot be ended is reported, stays, and is to be tried again.
class LeaseEnder {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    LeaseBook* book;
    Expiry* expiry;
    TapReaper* reaper;
    LinkObserver* observer;
    FailureReporter* failures;
    Clock clock;
  };
  explicit LeaseEnder(const Parts& parts) : parts_(parts) {}

  // Those whose TAP its holder has changed in a way that svnetd does not allow. False if one could
  // not be ended.
  bool EndTampered();
  // Those that are due, unless the TAP is held. False likewise.
  bool EndExpired();

 private:
  absl::Status ExpireUnlessHeld(const Lease& lease);

  const Parts parts_;
};

}  // namespace svnet
