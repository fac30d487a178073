// Keeps what leases need as it should be.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/condition.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/host_events.h"
#include "daemon/network/network_health.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

class EventSink;
class Expiry;
class FailureReporter;
class Infrastructure;
class LeaseBook;
class LeaseEnder;
class LinkObserver;
class NetworkRules;
class RepairLimit;
class RouteObserver;
class Segment;
class SpecTexts;
class TapAdopter;
class TapRepairer;
struct TapEvent;

// Not thread-safe.
class Reconciler {
 public:
  // All must outlive it.
  struct Parts {
    Segment* segment;
    NetworkRules* rules;
    const RouteObserver* routes;
    SpecTexts* texts;
    Infrastructure* infrastructure;
    LeaseBook* book;
    Expiry* expiry;
    LeaseEnder* ender;
    LinkObserver* observer;
    TapAdopter* adopter;
    TapRepairer* repairer;
    RepairLimit* limit;
    EventSink* events;
    FailureReporter* failures;
    Clock clock;
  };
  Reconciler(const NetworkSettings& settings, const Parts& parts)
      : settings_(settings), parts_(parts) {}

  // At start, one after the other, and to be followed by CatchUp. Between two of them the same is
  // done for all other networks: the rules of all are made in one step.
  //
  // Adopts what an earlier svnetd left. SUBNET_CONFLICT if the prefix overlaps what the host
  // already has, BRIDGE_SETUP_FAILED if there are leases of another kind or subnet.
  absl::Status Adopt();
  // If there are leases, makes the link that their network needs.
  void Prepare();
  // If there are leases, makes their network whole.
  absl::Status Begin();
  // Takes in what has happened, repairs what was changed, and ends what is over. True if it
  // turned forwarding on. BRIDGE_SETUP_FAILED if the state of the host cannot be read.
  absl::StatusOr<bool> CatchUp(const HostEvents& events);

  // Reads all from the kernel; returns all links.
  absl::StatusOr<std::vector<Link>> Resync();

  // When CatchUp has something to do, though nothing happens.
  std::optional<absl::Time> NextDue() const;
  // Whether the last CatchUp could hear what the kernel said.
  bool monitor_ok() const { return monitor_ok_; }
  NetworkHealth Health() const;
  // Appends what is wrong.
  void AddConditions(std::vector<Condition>* conditions) const;

 private:
  void Repair(bool* turned_forwarding_on);
  // What was repaired; nullopt: nothing.
  std::optional<TapEvent> RepairNetwork(bool* turned_forwarding_on);
  void TryAgain();

  const NetworkSettings settings_;
  const Parts parts_;
  std::vector<Link> links_at_start_;  // from Adopt to Begin
  bool was_left_ = false;  // an earlier svnetd has left the network, perhaps without leases
  bool monitor_ok_ = true;
  bool resync_ = false;           // all is to be read again
  bool adoption_failed_ = false;  // the last time that all was read
  std::optional<absl::Time> try_again_;
};

}  // namespace svnet
