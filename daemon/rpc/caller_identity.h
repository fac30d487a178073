// Who is at the other end of a connection.
#pragma once

#include "absl/status/statusor.h"
#include "daemon/network/caller.h"

namespace svnet {

// What the kernel recorded when the peer of the connected Unix socket `fd` called
// connect(2): later changes of the peer's ids do not count (unix(7), SO_PEERCRED). The
// ids are as svnetd's own user namespace numbers them: "root" of another one is whoever
// made that. Nobody is an administrator yet.
absl::StatusOr<Caller> IdentifyCaller(int fd);

}  // namespace svnet
