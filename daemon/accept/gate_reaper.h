// Which gates end, when and why.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "daemon/accept/gate_supply.h"
#include "daemon/accept/gate_table.h"
#include "daemon/log/limited_log.h"
#include "daemon/metrics/gate_metrics.h"

namespace svnet {

// Finds gates that hang or are idle, and ends these and those that others have found to be of no
// use. Not thread-safe.
class GateReaper {
 public:
  using Why = GateMetrics::Why;
  struct Parts {
    GateTable* table;
    GateSupply* supply;
    GateMetrics* metrics;
    LimitedLog* log;
    std::function<void(const GateEntry& gate)> on_ended;  // it is in the table no more
  };

  // All in `parts` must outlive it.
  explicit GateReaper(Parts parts) : parts_(std::move(parts)) {}

  // The gate gets no connection from now on. Tick ends it: the code that found it may still use it.
  void End(GateNumber number, Why why);
  void EndNow(GateNumber number, Why why);

  // Does what is due. Call it at NextDue.
  void Tick(absl::Time now);
  absl::Time NextDue() const;

  // A gate without connections stays so long, for callers who come again, as svnetctl does.
  static constexpr absl::Duration kIdle = absl::Seconds(30);

 private:
  using Kind = GateTable::Kind;
  struct Ending {
    GateNumber gate;
    Why why;
  };

  // Whether a caller suffers if it hangs. A reader of metrics comes again.
  static bool IsChecked(const GateEntry& gate);
  void Retire(GateEntry& gate, Why why);
  void LogEnd(const GateEntry& gate, Why why);

  const Parts parts_;
  std::vector<Ending> ending_;
};

}  // namespace svnet
