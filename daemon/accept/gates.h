// Which caller has which gate.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/accept/gate_link.h"
#include "daemon/accept/gate_maker.h"
#include "daemon/accept/restart_delays.h"
#include "daemon/base/unique_fd.h"
#include "daemon/log/limited_log.h"
#include "daemon/metrics/gate_metrics.h"
#include "daemon/network/caller.h"

namespace svnet {

// Each caller (uid and groups) has a gate of its own, as long as there are not too many; who
// comes then shares one with others who came then, and those who are refused share one. What
// ends a gate ends its connections, and nothing else. Not thread-safe, but for Resume.
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

  size_t count() const { return gates_.size(); }

  // With a gate of their own: of users, and as many administrators besides.
  static constexpr size_t kMost = 64;
  static constexpr size_t kMostOfOneUid = 4;
  // A gate without connections stays so long, for callers who come again, as svnetctl does.
  static constexpr absl::Duration kIdle = absl::Seconds(30);
  // A spare one is made so long after the last was taken: not while its caller waits.
  static constexpr absl::Duration kSpareAfter = absl::Milliseconds(50);
  // A gate that could not be killed is tried again so much later.
  static constexpr absl::Duration kKillAgain = absl::Milliseconds(100);

 private:
  enum class Kind { kSpare, kOwn, kShared, kRefused, kMetrics };

  struct Gate {
    Kind kind;
    std::unique_ptr<GateLink> link;
    std::shared_ptr<const Caller> caller;  // kOwn
    std::set<uint64_t> connections;
    uint32_t taken = 0;      // connections that it has had in its life
    absl::Time idle_since;   // if it has none
    bool is_ending = false;  // is in ending_: no connection comes to it any more

    bool IsIdle() const { return kind != Kind::kSpare && connections.empty(); }
  };
  using Number = uint64_t;
  using Why = GateMetrics::Why;

  // A connection whose gate is yet to be made.
  struct Waiting {
    uint64_t connection;
    Caller caller;
    absl::Status verdict;
    UniqueFd fd;
    absl::Time until;
  };
  struct Ending {
    Number gate;
    Why why;
  };

  absl::Status Assign(Waiting waiting);
  // nullopt: not yet, at `*until`.
  absl::StatusOr<std::optional<Number>> FindOrMake(const Caller& caller,
                                                   const absl::Status& verdict, absl::Time* until);
  absl::StatusOr<std::optional<Number>> FindOrMakeOwn(const Caller& caller, absl::Time* until);
  absl::StatusOr<std::optional<Number>> FindOrMakeCommon(Kind kind, absl::Time* until);
  // Whether there may be one more of its own, if need be by ending one that is idle.
  bool MakeRoomFor(const Caller& caller);
  std::optional<Number> LongestIdle(const std::function<bool(const Gate&)>& which) const;
  absl::StatusOr<Number> Make(Kind kind);
  absl::StatusOr<Number> TakeSpareOrMakeOwn();
  static GateMaker::Role RoleOf(Kind kind);
  // It is of no use from now on. Tick ends it.
  void End(Number number, Why why);
  void EndNow(Number number, Why why);
  // Nobody finds it any more.
  void Retire(Gate& gate, Why why);
  void LogEnd(const Gate& gate, Why why);
  // For RestartDelays, those that are nobody's own.
  static uid_t DelayedAs(Kind kind);
  void EndWhatIsDue(absl::Time now);
  // Whether somebody suffers if it hangs. Who reads metrics comes again.
  static bool IsChecked(const Gate& gate);
  void AssignWhatIsDue(absl::Time now);
  void KeepASpare(absl::Time now);
  void Kill(Number number);
  void KillAgain(absl::Time now);

  Parts parts_;
  std::map<Number, Gate> gates_;
  std::map<Caller, Number> own_;  // those that are not ending
  std::map<uint64_t, Number> by_connection_;
  std::list<Waiting> waiting_;
  std::vector<Number> unkilled_;  // the maker could not be asked
  absl::Time kill_due_ = absl::InfiniteFuture();
  std::vector<Ending> ending_;  // Tick does it: what found it may still use it
  RestartDelays delays_;
  absl::Time spare_due_;
  bool draining_ = false;
  Number last_number_ = 0;
  uint64_t last_reader_ = 0;  // of metrics
};

}  // namespace svnet
