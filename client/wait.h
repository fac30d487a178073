// `svnetctl wait`.
#pragma once

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "client/failure.h"
#include "client/selection.h"

namespace svnet::client {

enum class LeaseState { kAttached, kDetached, kRemoved };

struct WaitRun {
  LeaseName which;
  // Must be set.
  std::optional<LeaseState> state;
};

// Until the lease is in that state, over restarts of svnetd. A lease that does not exist yet is
// waited for, too, unless it is to be removed. DEADLINE_EXCEEDED if that takes longer than
// `timeout`.
Outcome Wait(absl::FunctionRef<Result<Connection>()> open, const WaitRun& wait,
             absl::Duration timeout, Format format,
             absl::FunctionRef<void(const std::string&)> say);

}  // namespace svnet::client
