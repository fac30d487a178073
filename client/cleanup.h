// `svnetctl cleanup`.
#pragma once

#include <cstdint>
#include <optional>

#include "client/connection.h"
#include "client/failure.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

struct CleanupLeases {
  v1::CleanupRequest request;
  // Whose; unset: the caller's. Not with CLEANUP_SCOPE_NETWORK.
  std::optional<uint32_t> owner;
  // Only shows what it would remove.
  bool dry_run = false;
};

// An administrator who has no leases does not remove those of others by this alone: it is told
// whose there are, and how to remove them.
Outcome Cleanup(Connection& svnetd, const CleanupLeases& cleanup, Format format);

}  // namespace svnet::client
