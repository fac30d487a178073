// Hands the queues of TAPs to the leases' owners.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/accept/admission.h"
#include "daemon/accept/admission_control.h"
#include "daemon/accept/connection_counts.h"
#include "daemon/accept/poller.h"
#include "daemon/accept/untaken_descriptors.h"
#include "daemon/log/limited_log.h"
#include "daemon/metrics/connection_metrics.h"
#include "daemon/network/opened_tap.h"
#include "daemon/rpc/call_runner.h"

namespace svnet {

// The connections of tap.sock: see OpenTapRequest in the contract. What is read of a caller is one
// short packet, which needs no gate. Callers take turns, by uid, a few queues each. A connection
// whose descriptors nobody takes counts as its caller's until it is closed. Not thread-safe; one
// thread runs it.
class TapConnections {
 public:
  // All outlive it.
  struct Parts {
    AdmissionControl* admission;
    Poller* poller;
    CallRunner* runner;
    ConnectionMetrics* metrics;
    LimitedLog* log;
  };
  static absl::StatusOr<std::unique_ptr<TapConnections>> Create(const Parts& parts);

  // As CallerConnections has it.
  size_t ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits);
  void Take();
  // Whether somebody waits for an answer, or has not asked yet.
  bool HasUnanswered() const;

  // Gives each caller who has asked a turn, and ends connections that are due. Call it after
  // anything else, and at NextDue.
  void Tick();
  absl::Time NextDue() const;

  // A call needs one connection, and not for long.
  static constexpr uint32_t kMostOfOneUid = 16;
  // Descriptors that svnetd has open itself, because their answers are not sent yet.
  static constexpr size_t kMostInHand = 512;
  // How long a caller may take to ask.
  static constexpr absl::Duration kPatience = absl::Seconds(5);

 private:
  struct Connection : AdmissionControl::Arrival {
    Poller::Id watch;
    std::string request;
    bool asked = false;
    OpenedTap opened;
    size_t untaken = 0;  // descriptors that were sent; above 0 it waits for nothing else
  };
  using Connections = std::map<uint64_t, Connection>;

  struct Deadline {
    absl::Time when;
    uint64_t connection;
  };

  explicit TapConnections(const Parts& parts) : parts_(parts) {}

  absl::Status Add(AdmissionControl::Arrival arrival);
  void OnEvent(uint64_t number, uint32_t events);
  void Read(Connections::iterator found);
  // A turn of the caller whose connections wait in `line`.
  void Serve(std::deque<uint64_t>& line);
  // True when it is answered.
  bool GoOn(Connections::iterator found);
  absl::Status OpenSome(Connection& connection);
  void Answer(Connections::iterator found, const absl::Status& status);
  void Close(Connections::iterator found);
  void CloseOverdue();

  const Parts parts_;
  Connections connections_;
  // Those that have asked, by uid, in the order in which they did.
  std::map<uid_t, std::deque<uint64_t>> lines_;
  uid_t last_served_ = 0;
  UntakenDescriptors untaken_;
  size_t in_hand_ = 0;              // with those that are still to be opened
  std::deque<Deadline> deadlines_;  // in order
  uint64_t last_number_ = 0;
};

}  // namespace svnet
