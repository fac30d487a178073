// A watch that outlives svnetd's restarts.
#pragma once

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "client/failure.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

struct FollowOptions {
  v1::WatchTapsRequest request;
  // For so long svnetd may be away before that is a failure. Zero: the end of the first stream is.
  absl::Duration patience;
  // When to end with DEADLINE_EXCEEDED.
  absl::Time deadline = absl::InfiniteFuture();
};

// Gives each event to `visit` until that returns false: nullopt then. If svnetd ends the stream,
// connects again by `open`, and `say`s so; the leases that exist then follow as a new snapshot,
// whose first event has the sequence 1. That svnetd is not there at all is a failure at once.
std::optional<Failure> Follow(absl::FunctionRef<Result<Connection>()> open,
                              const FollowOptions& options,
                              absl::FunctionRef<bool(const v1::TapEvent&)> visit,
                              absl::FunctionRef<void(const std::string&)> say);

}  // namespace svnet::client
