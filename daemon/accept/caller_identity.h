// Who is at the other end of a connection.
#pragma once

#include "absl/status/statusor.h"
#include "daemon/network/caller.h"

namespace svnet {

// What the kernel recorded when the peer of the connected Unix socket `fd` called
// connect(2): later changes of the peer's ids do not count (unix(7), SO_PEERCRED). The
// ids are as svnetd's own user namespace numbers them: "root" of another one is whoever
// made that. Nobody is an administrator yet, and shares_pids is not known yet.
absl::StatusOr<Caller> IdentifyCaller(int fd);

// Whether that peer is in svnetd's own pid namespace; false if it has gone. Reads a file of
// /proc: not for callers who are not served anyway.
bool SharesPids(int fd);

// Whether the kernel tells of which network namespace a peer is (SO_NETNS_COOKIE, from Linux
// 5.14). If not, nobody counts as foreign.
bool KnowsNetworkNamespaces();

}  // namespace svnet
