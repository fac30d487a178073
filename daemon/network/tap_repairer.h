// Puts right what was changed on leases' TAPs.
#pragma once

#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/ifindex.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"
#include "daemon/segment/segment.h"

namespace svnet {

class EventSink;
class FailureReporter;
class LeaseBook;
class RepairLimit;
class TapReaper;

// Each TAP has a budget of repairs. Not thread-safe.
class TapRepairer {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    Segment* segment;
    LeaseBook* book;
    TapReaper* reaper;
    RepairLimit* limit;
    EventSink* events;
    FailureReporter* failures;
    Clock clock;
  };
  explicit TapRepairer(const Parts& parts) : parts_(parts) {}

  // Repairs those that LeaseBook has marked, and ends the leases of those that are gone. False if
  // one could not be, and is to be tried again.
  bool RepairDirty();

 private:
  bool Repair(Ifindex tap, const std::string& known);
  // False if too many repairs of that TAP were needed lately.
  bool MayRepair(const Lease& lease);

  const Parts parts_;
};

}  // namespace svnet
