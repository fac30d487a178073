// What serves callers: one thread, which hands their connections to gates, and runs calls.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/accept/acceptor.h"
#include "daemon/accept/admission.h"
#include "daemon/accept/admission_control.h"
#include "daemon/accept/caller_connections.h"
#include "daemon/accept/gate_maker.h"
#include "daemon/accept/gates.h"
#include "daemon/accept/poller.h"
#include "daemon/accept/tap_connections.h"
#include "daemon/accept/wake_list.h"
#include "daemon/log/limited_log.h"
#include "daemon/metrics/metrics.h"
#include "daemon/rpc/call_runner.h"

namespace svnet {

// How many connections there may be.
struct ServerLimits {
  ConnectionLimits calls;
  ConnectionLimits taps;
};

// Not thread-safe, but for Resume.
class Server {
 public:
  // All outlive it.
  struct Parts {
    int listening;            // a listening, non-blocking socket
    std::optional<int> taps;  // another, of type SOCK_SEQPACKET: see TapConnections
    int wake;                 // when there is something to read from it, Run returns
    int parent;               // readable when the parent of the gates has ended
    GateMaker* maker;
    CallRunner* runner;
    Metrics* metrics;
    std::function<std::string()> metrics_page;  // called after ServeMetrics only
    LimitedLog* log;
  };
  static absl::StatusOr<std::unique_ptr<Server>> Create(const Parts& parts,
                                                        const AdmissionRules& rules,
                                                        const ServerLimits& limits);

  // Serves those who connect to that listening socket the metrics by HTTP.
  absl::Status ServeMetrics(int listening);

  // Until `wake`; may be called again. An error is one that leaves nothing to go on with.
  absl::Status Run();

  // See CallerConnections.
  size_t ChangeRules(const AdmissionRules& rules, const ServerLimits& limits);

  // Calls that wait for what was dying may go on. Thread-safe.
  void Resume() { gates_->Resume(); }

  // Takes no more connections. Returns when those that are too young to have been used are
  // closed or old enough (at most kSettleTime): a caller who has connected can still call.
  absl::Status Settle();

  // Calls that come from now on are UNAVAILABLE, and watches end. Returns when those that
  // are there are answered, when their callers take nothing any more, or after `most`.
  absl::Status FinishCalls(absl::Duration most);

  // Ends all connections, at once: whoever still waits for an answer gets UNAVAILABLE.
  void Disconnect() { connections_->Disconnect(); }

  size_t gate_count() const { return gates_->count(); }

  static constexpr absl::Duration kSettleTime = absl::Seconds(1);
  // Of callers to whom answers are under way.
  static constexpr absl::Duration kPatience = absl::Seconds(1);

 private:
  Server() = default;

  absl::Status Listen(const Parts& parts);
  absl::Status ServeTaps(const Parts& parts, const AdmissionRules& rules,
                         const ConnectionLimits& limits);
  // Handles what comes until `deadline`, or what is due before.
  absl::Status Turn(absl::Time deadline);
  void AcceptReader(int listening);

  std::unique_ptr<Poller> poller_;
  std::unique_ptr<Gates> gates_;
  std::unique_ptr<AdmissionControl> admission_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<CallerConnections> connections_;
  // nullptr: there is no such socket.
  std::unique_ptr<AdmissionControl> tap_admission_;
  std::unique_ptr<Acceptor> tap_acceptor_;
  std::unique_ptr<TapConnections> tap_connections_;
  Poller::Id wake_watch_ = 0;
  bool woken_ = false;
  bool parent_has_ended_ = false;
};

}  // namespace svnet
