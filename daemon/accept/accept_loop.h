// Takes connections in, and hands each to the gate of its caller.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/accept/admission.h"
#include "daemon/accept/connection_counts.h"
#include "daemon/accept/gates.h"
#include "daemon/accept/poller.h"
#include "daemon/base/unique_fd.h"
#include "daemon/log/limited_log.h"
#include "daemon/metrics/connection_metrics.h"
#include "daemon/network/caller.h"

namespace svnet {

// Everything that a caller can take here has a limit, and reaching it is felt by that
// caller alone. Who is refused is only told why: a few connections at a time, besides those of
// who is admitted, and not for long. Not thread-safe; one thread runs it.
class AcceptLoop {
 public:
  // All outlive it.
  struct Parts {
    int listening;  // a listening, non-blocking socket
    Poller* poller;
    Gates* gates;
    ConnectionMetrics* metrics;
    LimitedLog* log;
  };
  static absl::StatusOr<std::unique_ptr<AcceptLoop>> Create(const Parts& parts,
                                                            const AdmissionRules& rules,
                                                            const ConnectionLimits& limits);

  // Also for connections that are there, by the identity that the kernel recorded when they
  // were made: one that would be served otherwise now is ended, and so are those of a uid that
  // are more than it may have now. The others go on. How many were ended.
  size_t ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits);

  // Takes no more connections: they wait, in the kernel, for who next listens on the socket.
  void StopAccepting();
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
  struct Connection {
    UniqueFd fd;
    Caller peer;  // as the kernel has it
    Admission admission;
    absl::Status verdict;  // the admission's, or that there are too many
    absl::Time since;
    Poller::Id watch;
    // Handed to a gate. Before, svnetd waits for what every HTTP/2 client begins with.
    bool served = false;

    const Caller& caller() const { return admission.caller; }
  };
  // By number, from the oldest to the youngest.
  using Connections = std::map<uint64_t, Connection>;

  // A connection that ends at `when`, if it then has not said a word, or is one that is
  // only told why it is refused.
  struct Deadline {
    absl::Time when;
    uint64_t connection;
  };

  AcceptLoop(const Parts& parts, UniqueFd spare, const AdmissionRules& rules,
             const ConnectionLimits& limits);

  // Those that wait; not so many that others are kept waiting for long.
  void Accept();
  // Out of descriptors: the one that waits is closed, or the loop would spin.
  void RefuseWithoutDescriptor();
  absl::Status Admit(UniqueFd connection);
  // A line in the log about a connection that is not taken.
  void LogTurnedAway(uid_t uid, const std::function<std::string()>& why);
  // One about a connection that is only told why it is refused.
  void LogRefusal(const Connection& connection);
  void OnEvent(uint64_t number, uint32_t events);
  // Hands it to a gate, if it has begun as HTTP/2 does. False: it is to be closed.
  bool Begin(uint64_t number, Connection& connection);
  void Close(Connections::iterator connection);

  const Parts parts_;
  UniqueFd spare_;  // for RefuseWithoutDescriptor
  AdmissionRules rules_;
  ConnectionCounts counts_;
  Poller::Id listening_watch_ = 0;
  Connections connections_;
  std::deque<Deadline> deadlines_;  // in order
  uint64_t last_number_ = 0;
};

}  // namespace svnet
