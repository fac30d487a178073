// A Cleanup from its beginning to its end, and what is to be reaped for it.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "daemon/network/network_api.h"
#include "daemon/network/reap_worker.h"

namespace svnet::testing {

inline absl::StatusOr<CleanupResult> CarryOut(Cleanup& cleanup, ReapWorker worker) {
  for (;;) {
    const std::optional<absl::StatusOr<CleanupResult>> result = cleanup.GoOn();
    if (result.has_value()) return *result;
    if (cleanup.waits_for_reaping()) worker.ReapAll();
  }
}

inline absl::StatusOr<CleanupResult> CleanUp(NetworkApi& api, const ReapWorker& worker,
                                             const Caller& caller, const CleanupRequest& request) {
  return CarryOut(*api.BeginCleanup(caller, request), worker);
}

}  // namespace svnet::testing
