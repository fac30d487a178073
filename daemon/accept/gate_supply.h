// Where gates come from.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/accept/gate_link.h"
#include "daemon/accept/gate_maker.h"
#include "daemon/accept/gate_table.h"
#include "daemon/accept/restart_delays.h"
#include "daemon/metrics/gate_metrics.h"
#include "daemon/network/caller.h"

namespace svnet {

// Has gates made, one ahead of need, and killed. Whose gates end by their own fault again and again
// waits for the next one. Not thread-safe.
class GateSupply {
 public:
  using Kind = GateTable::Kind;
  struct Parts {
    const GateLink::Services* services;
    GateMaker* maker;
    GateMetrics* metrics;
    std::function<absl::Time()> clock;                      // as MonotonicNow
    std::function<void(GateNumber, GateLink::End)> on_end;  // see GateLink
  };

  // All in `parts`, and `table`, must outlive it.
  GateSupply(Parts parts, GateTable* table);

  // One that is the caller's own from now on. nullopt: not yet, at `*until`.
  absl::StatusOr<std::optional<GateNumber>> MakeOwn(const Caller& caller, absl::Time* until);
  // One that several have together. nullopt: not yet, at `*until`.
  absl::StatusOr<std::optional<GateNumber>> FindOrMakeCommon(Kind kind, absl::Time* until);

  // It is in the table no more, or will not be soon.
  void NoteEnd(const GateEntry& gate, bool by_its_fault);
  // If it cannot be killed now, it is tried again.
  void Kill(GateNumber number);
  // None is made ahead of need any more.
  void EndSpares();

  // Does what is due. Call it at NextDue.
  void Tick(absl::Time now);
  absl::Time NextDue() const;

  // A spare one is made so long after the last was taken: not while its caller waits.
  static constexpr absl::Duration kSpareAfter = absl::Milliseconds(50);
  // A gate that could not be killed is tried again so much later.
  static constexpr absl::Duration kKillAgain = absl::Milliseconds(100);

 private:
  absl::StatusOr<GateNumber> Make(Kind kind);
  static GateMaker::Role RoleOf(Kind kind);
  // For RestartDelays, those that are nobody's own.
  static uid_t DelayedAs(Kind kind);
  void KeepASpare(absl::Time now);
  void KillAgain(absl::Time now);

  const Parts parts_;
  GateTable* const table_;
  GateNumber last_number_ = 0;
  RestartDelays delays_;
  bool makes_spares_ = true;
  absl::Time spare_due_;
  std::vector<GateNumber> unkilled_;  // the maker could not be asked
  absl::Time kill_due_ = absl::InfiniteFuture();
};

}  // namespace svnet
