// The threads that do what no caller asked for.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

class ForeignFirewallReconciler;
class NetworkRegistry;
class Reaper;

// One handles what the kernel says and leases that end, some destroy retired TAPs, one looks after
// other programs' packet filters. They run as long as the object lives.
class Housekeeping {
 public:
  // All must outlive it. `reapers`: one for each thread that destroys TAPs.
  static absl::StatusOr<std::unique_ptr<Housekeeping>> Start(NetworkRegistry* registry,
                                                             const std::vector<Reaper*>& reapers,
                                                             ForeignFirewallReconciler* foreign);
  // Waits for what is being done: that takes the kernel up to a second.
  ~Housekeeping();

 private:
  Housekeeping(NetworkRegistry* registry, const std::vector<Reaper*>& reapers,
               ForeignFirewallReconciler* foreign, UniqueFd stop);

  void HandleEvents();
  void Reap(Reaper* reaper) const;
  void ReconcileForeignFirewalls();
  // Leaves events to the calls that run. False if all is to end.
  bool WaitUntilIdle() const;
  bool StopsWithin(absl::Duration time) const;

  NetworkRegistry* const registry_;
  ForeignFirewallReconciler* const foreign_;
  const UniqueFd stop_;  // readable: they end
  std::thread handling_;
  std::vector<std::thread> reaping_;
  std::thread reconciling_;
};

}  // namespace svnet
