// Hands each connection to the gate of its caller, and watches it to its end.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/accept/admission.h"
#include "daemon/accept/admission_control.h"
#include "daemon/accept/connection_counts.h"
#include "daemon/accept/gates.h"
#include "daemon/accept/poller.h"
#include "daemon/log/limited_log.h"
#include "daemon/metrics/connection_metrics.h"
#include "daemon/network/caller.h"

namespace svnet {

// Everything that a caller can take here has a limit, and only that caller feels it. Callers who
// are refused are told why and no more: on a few connections at a time, besides those of admitted
// callers, and not for long. Not thread-safe; one thread runs it.
class CallerConnections {
 public:
  // All outlive it.
  struct Parts {
    AdmissionControl* admission;
    Poller* poller;
    Gates* gates;
    ConnectionMetrics* metrics;
    LimitedLog* log;
  };
  static absl::StatusOr<std::unique_ptr<CallerConnections>> Create(const Parts& parts);

  // Also for connections that are there, by the identity that the kernel recorded when they
  // were made: one that would be served otherwise now is ended, and so are those of a uid that
  // are more than it may have now. The others go on. How many were ended.
  size_t ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits);

  // Takes in those that have come.
  void Take();
  // Whether there is a connection that is not older than `time`.
  bool HasConnectionSince(absl::Time time) const;

  // The gate of that connection has ended.
  void Lost(uint64_t number);

  // Ends those that are due. Call it after anything else, and at NextDue.
  void CloseOverdue();
  absl::Time NextDue() const;

  // Ends all connections, at once: whoever still waits for an answer gets UNAVAILABLE,
  // which a shutdown of gRPC's would make CANCELLED.
  void Disconnect();

 private:
  // The gate gets a duplicate of the descriptor, and is not believed when it closes that; this
  // one sees the end.
  struct Connection : AdmissionControl::Arrival {
    Poller::Id watch;
    // Handed to a gate. Before, svnetd waits for what every HTTP/2 client begins with.
    bool served = false;
  };
  // By number, from the oldest to the youngest.
  using Connections = std::map<uint64_t, Connection>;

  // A connection that ends at `when`, if it then has not said a word, or is one that is
  // only told why it is refused.
  struct Deadline {
    absl::Time when;
    uint64_t connection;
  };

  explicit CallerConnections(const Parts& parts) : parts_(parts) {}

  absl::Status Add(AdmissionControl::Arrival arrival);
  void OnEvent(uint64_t number, uint32_t events);
  // Hands it to a gate, if it has begun as HTTP/2 does. False: it is to be closed.
  bool Begin(uint64_t number, Connection& connection);
  void Close(Connections::iterator connection);

  const Parts parts_;
  Connections connections_;
  std::deque<Deadline> deadlines_;  // in order
  uint64_t last_number_ = 0;
};

}  // namespace svnet
