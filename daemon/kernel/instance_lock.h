// One svnetd for each bridge and network namespace.
#pragma once

#include "absl/status/statusor.h"
#include "daemon/base/link_name.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// Held as long as the descriptor is open, and so never longer than the process lives: an
// abstract Unix socket (unix(7)), whose names belong to a network namespace. AlreadyExists
// if another process of root's has it. Anybody may take such a name: one that somebody
// else has is no lock, and is passed over (then the descriptor is not valid).
absl::StatusOr<UniqueFd> LockInstance(const LinkName& bridge);

}  // namespace svnet
