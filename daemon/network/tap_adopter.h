// Makes the book agree with a dump of all links.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/clock.h"
#include "daemon/base/condition.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/adoption.h"
#include "daemon/network/spec_texts.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

class EventSink;
class Expiry;
class FailureReporter;
class LeaseBook;
class LinkObserver;
class NetworkRules;
class Segment;
class TapReaper;

// Takes over what an earlier svnetd left, and ends leases whose TAPs are gone. Not thread-safe.
class TapAdopter {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    Segment* segment;
    NetworkRules* rules;
    SpecTexts* texts;
    LeaseBook* book;
    Expiry* expiry;
    TapReaper* reaper;
    LinkObserver* observer;
    EventSink* events;
    FailureReporter* failures;
    Clock clock;
  };
  TapAdopter(const NetworkSettings& settings, const Parts& parts)
      : settings_(settings), parts_(parts) {}

  // Reads all links, and adopts what is unknown. `try_again` is set if something of that is to be
  // tried again. BRIDGE_SETUP_FAILED if the links cannot be read.
  absl::StatusOr<std::vector<Link>> ReadAll(bool* try_again);
  // At start: see CheckLeftTaps. `links`: all of the host.
  absl::Status CheckLeft(const std::vector<Link>& links) const;
  // Finds leases whose MAC has lost its place in the bridge while nothing was heard.
  absl::Status ReadStaticMacs();

  // One for each TAP that bears our mark, but is no lease.
  const std::vector<Condition>& not_adopted() const { return not_adopted_; }

 private:
  void EndLeasesWithoutLink(const std::vector<Link>& links);
  void AdoptUnknownTaps(const std::vector<Link>& links, bool* try_again);
  // Reads what else was granted to leases, and to TAPs that may become leases.
  SpecTexts::Changes ReadTexts(const std::vector<Link>& links);
  // Lets those leases through whose texts are found again.
  void NoteTexts(const SpecTexts::Changes& changes);
  std::vector<Lease> LeasesWith(const std::set<std::string>& texts) const;
  void ReadmitLeasesWith(const std::set<std::string>& texts);
  void ReportLost(const std::map<std::string, std::string>& lost);
  // False if another lease is in its way.
  bool AdoptLease(const Lease& lease);
  void AdoptRetired(const EndedTap& tap);
  // It never becomes a lease again, but its owner is told that it was one.
  absl::Status RetireTampered(const EndedTap& tap);

  const NetworkSettings settings_;
  const Parts parts_;
  std::vector<Condition> not_adopted_;
};

}  // namespace svnet
