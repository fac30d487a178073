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
#include "daemon/accept/gates.h"
#include "daemon/accept/poller.h"
#include "daemon/base/token_bucket.h"
#include "daemon/base/unique_fd.h"
#include "daemon/log/limited_log.h"
#include "daemon/metrics/connection_metrics.h"
#include "daemon/network/caller.h"

namespace svnet {

// How many connections there may be at a time, of each kind by itself: those of one kind never
// keep another out.
struct ConnectionLimits {
  size_t users;
  size_t administrators;  // a quarter of them root's alone

  // What that many descriptors are enough for: at most `users` of users.
  static ConnectionLimits Plan(size_t descriptors, size_t users);
};

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

  // Those who are told why they are refused; others are only closed.
  static constexpr TokenBucket::Rate kRefusedRate = {.burst = 256, .per_second = 200};
  static constexpr uint32_t kMaxRefused = 64;
  static constexpr uint32_t kMaxRefusedOfOneUid = 8;

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

  // Of one uid, or of all.
  struct Count {
    uint32_t users = 0;
    uint32_t administrators = 0;
    uint32_t refused = 0;

    uint32_t& Of(const Connection& connection);
    uint32_t admitted() const { return users + administrators; }
  };

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
  // Whether the caller's connection is kept at all; sets its verdict if not to be served.
  bool MayKeep(Connection* connection);
  bool HasRoomFor(const Caller& caller) const;
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
  ConnectionLimits limits_;
  Poller::Id listening_watch_ = 0;
  Connections connections_;
  Count count_;                     // of all
  std::map<uid_t, Count> counts_;   // of those who have connections
  std::deque<Deadline> deadlines_;  // in order
  TokenBucket told_{kRefusedRate};  // why they are refused
  uint64_t last_number_ = 0;
};

}  // namespace svnet
