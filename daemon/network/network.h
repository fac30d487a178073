// One network: its leases, and everything that keeps them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/condition.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_health.h"
#include "daemon/network/network_status.h"
#include "daemon/network/requests.h"
#include "daemon/network/retired_tap.h"
#include "daemon/network/tap_destroyer.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

class EventPoller;
class EventSink;
class HostRelations;
class HostRules;
class SpecTexts;
struct HostEvents;
struct NetworkParts;
struct OpenedTap;

// Knows the order in which its parts work. No lock: NetworkRegistry has it. Each call is to come
// after a CatchUp. Errors have a reason of the contract.
class Network {
 public:
  // What it works with; all must outlive it.
  struct Parts {
    Kernel* kernel;
    HostRules* rules;
    HostRelations* host;
    SpecTexts* texts;
    EventPoller* poller;
    EventSink* events;
    Clock clock;
    std::function<absl::Time()> wall_clock;
  };
  Network(const NetworkSettings& settings, const Parts& given);
  ~Network();

  // Before all others: see CheckLeftTaps.
  absl::Status CheckLeft(const std::vector<Link>& links) const;
  // At start, one after the other: see Reconciler.
  absl::Status Adopt();
  void Prepare();
  absl::Status Begin();
  // Takes in what has happened on the host, and does what is to be done about it.
  absl::Status CatchUp(const HostEvents& events);

  // `held`: what counts against the owner's quotas, in all networks. `made`: the lease is new.
  absl::StatusOr<Lease> CreateTap(const Caller& caller, const LeaseKey& key,
                                  const TapRequest& request, const Holdings& held, bool* made);
  absl::StatusOr<Lease> UpdateTap(const Caller& caller, const Lease& lease,
                                  const UpdateRequest& request);
  absl::Status RemoveTap(const Lease& lease);
  // See QueueOpener.
  absl::Status OpenQueues(const Lease& lease, size_t most, OpenedTap* opened);
  std::string BootArgsFor(const Lease& lease, const BootArgsRequest& request) const;
  // Cleanup: the TAPs are retired, and when they are reaped, all else goes. As NetworkCleaner has
  // it.
  absl::StatusOr<std::vector<Ifindex>> TapsOf(uid_t owner);
  absl::StatusOr<std::vector<Ifindex>> AllTaps();
  absl::StatusOr<bool> RetireTap(Ifindex tap);
  // No more are to be retired: they need not wait for others to be destroyed.
  void ReapNow();
  absl::StatusOr<CleanupResult> TakeAway();
  // Leases, or TAPs that are not destroyed yet.
  bool HasTaps() const;
  // The error with which the last destruction of retired TAPs has ended, since it was forgotten.
  const absl::Status& WhyNotReaped() const;
  void ForgetWhyNotReaped();

  // Whether it takes no new leases, because it has gone from the configuration.
  void SetClosed(bool closed);
  // One that is closed, and has no TAPs, goes away: it leaves nothing on the host. Costs nothing
  // once it has gone.
  absl::Status LeaveIfClosed();

  const LeaseTable& leases() const;
  Holdings HoldingsOf(uid_t owner) const;

  // Its state now, or, if it was asked for very often, a moment ago: sets `looked`.
  absl::StatusOr<NetworkStatus> Observe(bool* looked);
  // What is wrong now, as far as it is known without asking for all links.
  absl::StatusOr<std::vector<Condition>> FindConditions();
  // All but `watchers`.
  absl::StatusOr<NetworkMeasures> Measure();
  NetworkHealth Health() const;

  // When CatchUp has something to do, though nothing happens.
  std::optional<absl::Time> NextDue() const;
  // Whether it could hear of changes.
  bool monitor_ok() const;

  // When TakeReapPiece is due; nullopt: there is nothing to reap that is not taken.
  std::optional<absl::Time> NextReap() const;
  // Whether a piece is taken.
  bool IsReaping() const;
  ReapPiece TakeReapPiece();
  // True if all is done: see TapReaper.
  bool FinishReap(const ReapPiece& piece, const TapDestroyer::Result& result);

  // `closed` is what it was at first.
  const NetworkSettings& settings() const { return settings_; }

 private:
  // Says that the network exists, and by which link guests get out.
  void ReportUp();

  const NetworkSettings settings_;
  const Parts given_;
  const std::unique_ptr<NetworkParts> parts_;
};

}  // namespace svnet
