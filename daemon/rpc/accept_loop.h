// Takes connections in, and hands each to the server of its caller.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"
#include "daemon/metrics/connection_metrics.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/admission.h"
#include "daemon/rpc/caller_servers.h"

namespace svnet {

// Everything that a caller can take here has a limit, and reaching it is felt by that
// caller alone. Not thread-safe; one thread runs it.
class AcceptLoop {
 public:
  // `listening`: a listening, non-blocking socket. `wake`: when there is something to
  // read from it, Run returns. Both, `servers` and `metrics` must outlive it. At most
  // `max_connections` at a time, root's not counted.
  static absl::StatusOr<std::unique_ptr<AcceptLoop>> Create(int listening, int wake,
                                                            const AdmissionRules& rules,
                                                            size_t max_connections,
                                                            CallerServers* servers,
                                                            ConnectionMetrics* metrics);

  // Until `wake`; may be called again. An error is one that leaves nothing to go on with.
  absl::Status Run();

  // Holds for connections that come from now on; those that are there keep what they
  // were admitted with.
  void ChangeRules(const AdmissionRules& rules, size_t max_connections);

  // Takes no more connections: they wait, in the kernel, for who next listens on the
  // socket. Returns when those that are too young to have been used are closed or old
  // enough (at most kSettleTime): who has connected and not yet called still can.
  absl::Status Settle();

  // Ends all connections, at once: whoever still waits for an answer gets UNAVAILABLE,
  // which a shutdown of gRPC's would make CANCELLED.
  void Disconnect();

 private:
  // gRPC gets a duplicate of the descriptor, and tells nobody when it closes that; this
  // one sees the end.
  struct Connection {
    UniqueFd fd;
    Caller caller;
    absl::Status verdict;
    absl::Time since;
    // Handed to gRPC. Before, svnetd waits for what every HTTP/2 client begins with.
    bool served = false;
  };
  // By number: a descriptor's is used again, perhaps while an event of the last one's
  // is still on its way; these are not.
  using Connections = std::unordered_map<uint64_t, Connection>;

  static constexpr absl::Duration kSettleTime = absl::Seconds(1);

  // What the connections of a uid come to.
  struct Count {
    uint32_t admitted = 0;
    uint32_t refused = 0;
  };

  // A connection that ends at `when`, if it then has not said a word, or is one that is
  // only told why it is refused.
  struct Deadline {
    absl::Time when;
    uint64_t connection;
  };

  AcceptLoop(UniqueFd epoll, UniqueFd spare, int listening, int wake, const AdmissionRules& rules,
             size_t max_connections, CallerServers* servers, ConnectionMetrics* metrics);

  absl::Status Watch(int operation, int fd, uint64_t number, uint32_t events);
  // Waits for events, no longer than `timeout`, and handles them. Whether `wake` was one.
  absl::StatusOr<bool> HandleEvents(absl::Duration timeout);
  absl::Duration TimeToNextDeadline() const;
  bool HasConnectionSince(absl::Time time) const;
  // All that wait.
  void Accept();
  // Out of descriptors: the one that waits is closed, or the loop would spin.
  void RefuseWithoutDescriptor();
  absl::Status Admit(UniqueFd connection);
  // Whether the caller's connection is kept at all; sets `verdict` if not to be served.
  bool MayKeep(const Admission& admission, absl::Status* verdict) const;
  void OnEvent(uint64_t number, uint32_t events);
  // Hands it to gRPC, if it has begun as HTTP/2 does. False: it is to be closed.
  bool Begin(uint64_t number, Connection& connection);
  void Close(Connections::iterator connection);
  void CloseOverdue();

  const UniqueFd epoll_;
  UniqueFd spare_;  // for RefuseWithoutDescriptor
  const int listening_;
  const int wake_;
  AdmissionRules rules_;
  size_t max_connections_;
  CallerServers* const servers_;
  ConnectionMetrics* const metrics_;
  Connections connections_;
  std::map<uid_t, Count> counts_;
  std::deque<Deadline> deadlines_;  // in order
  uint64_t next_number_;
};

}  // namespace svnet
