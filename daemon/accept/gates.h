// Which caller has which gate.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/accept/gate_link.h"
#include "daemon/accept/gate_maker.h"
#include "daemon/accept/gate_reaper.h"
#include "daemon/accept/gate_supply.h"
#include "daemon/accept/gate_table.h"
#include "daemon/base/unique_fd.h"
#include "daemon/log/limited_log.h"
#include "daemon/metrics/gate_metrics.h"
#include "daemon/network/caller.h"

namespace svnet {

// Each caller (uid and groups) has a gate of its own, as long as there are not too many; later
// callers share one, and those who are refused share another. What ends a gate ends its
// connections, and nothing else. Not thread-safe, but for Resume.
class Gates {
 public:
  struct Parts {
    GateLink::Services services;
    GateMaker* maker;
    GateMetrics* metrics;
    LimitedLog* log;
    std::function<absl::Time()> clock;                 // as MonotonicNow
    std::function<void(uint64_t connection)> on_lost;  // its gate has ended; called by Tick
  };

  // All in `parts` must outlive it.
  explicit Gates(Parts parts);
  ~Gates();

  // Has `caller` served on that connection, or told `verdict` on every call. Its number: none
  // comes twice. Each wants a Closed, or has an on_lost.
  absl::Status Serve(uint64_t connection, const Caller& caller, const absl::Status& verdict,
                     UniqueFd fd);
  // The connection has ended.
  void Closed(uint64_t connection);
  // What its caller may has changed: no call of it begins any more, and its gate ends, but for
  // one that others share.
  void Revoke(uint64_t connection);

  // Hands a connection to the gate for metrics, which ends it by itself.
  absl::Status ServeMetrics(UniqueFd fd);

  // Calls that wait for what was dying may go on. Thread-safe.
  void Resume() { parts_.services.wakes->Resume(); }
  // What other threads have to say is there.
  void OnNews();

  // Calls that come from now on are UNAVAILABLE, and watches end.
  void Drain(const absl::Status& why);
  // All that was to be answered is with its callers.
  bool AreDrained() const;
  // When a gate last said anything.
  absl::Time last_heard() const;

  // Does what is due. Call it after anything else, and at NextDue.
  void Tick();
  absl::Time NextDue() const;

  size_t count() const { return table_.size(); }

 private:
  using Kind = GateTable::Kind;
  using Why = GateReaper::Why;

  // A connection whose gate is yet to be made.
  struct Waiting {
    uint64_t connection;
    Caller caller;
    absl::Status verdict;
    UniqueFd fd;
    absl::Time until;
  };

  absl::Status Assign(Waiting waiting);
  // nullopt: not yet, at `*until`.
  absl::StatusOr<std::optional<GateNumber>> FindOrMake(const Caller& caller,
                                                       const absl::Status& verdict,
                                                       absl::Time* until);
  // Its connections have ended with it.
  void OnEnded(const GateEntry& gate);
  void AssignWhatIsDue(absl::Time now);

  Parts parts_;
  GateTable table_;
  GateSupply supply_;
  GateReaper reaper_;
  std::map<uint64_t, GateNumber> by_connection_;
  std::list<Waiting> waiting_;
  bool draining_ = false;
  uint64_t last_reader_ = 0;  // of metrics
};

}  // namespace svnet
