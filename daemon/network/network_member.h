// One of the networks that svnetd serves: whether it has started, and when it is tried again.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/network/host_events.h"
#include "daemon/network/network.h"
#include "daemon/network/network_health.h"
#include "daemon/network/network_status.h"

namespace svnet {

class EventSink;

// Not thread-safe.
class NetworkMember {
 public:
  // `events` must outlive it.
  NetworkMember(std::unique_ptr<Network> network, EventSink* events, Clock clock)
      : network_(std::move(network)), events_(events), clock_(std::move(clock)) {}

  Network& network() const { return *network_; }
  bool started() const { return started_; }
  // Why no call can go on there: it has not started, or the state of the host cannot be read.
  const absl::Status& status() const { return status_; }
  // Whether it is to be tried again.
  bool IsDue() const { return !started_ && retry_ <= clock_(); }

  // The steps of a start: see Network. After an error there are no more of them, and it is tried
  // again after a pause, which grows.
  void Adopt() { status_ = network_->Adopt(); }
  void Prepare();
  void Begin();

  // If it has started: takes in what has happened, and goes if it is closed and has no leases.
  void CatchUp(const HostEvents& events);
  // When it has something to do, though nothing happens.
  std::optional<absl::Time> NextDue() const { return started_ ? network_->NextDue() : retry_; }

  // Whether it hears what the kernel says of changes; one that has not started need not.
  bool IsHeard() const { return !started_ || network_->monitor_ok(); }
  // See Network; of one that has not started: why.
  absl::StatusOr<NetworkStatus> Observe(bool* looked);
  absl::StatusOr<std::vector<Condition>> FindConditions() const;
  NetworkHealth Health() const;

 private:
  static constexpr absl::Duration kFirstPause = absl::Seconds(1);
  static constexpr absl::Duration kLongestPause = absl::Seconds(30);
  // All callers wait while a network is taken away.
  static constexpr absl::Duration kLeavePause = absl::Seconds(10);

  void Postpone(const absl::Status& why);
  void LeaveIfClosed();
  // Once, however often it is tried.
  void Say(const absl::Status& what);
  Condition NotStarted() const;

  const std::unique_ptr<Network> network_;
  EventSink* const events_;
  const Clock clock_;
  bool started_ = false;
  absl::Status status_ = absl::OkStatus();
  absl::Status last_said_;
  absl::Time leave_ = absl::InfinitePast();  // when LeaveIfClosed may be tried
  // If it has not started:
  absl::Duration pause_ = kFirstPause;
  absl::Time retry_ = absl::InfiniteFuture();
};

}  // namespace svnet
