// One svnetd for each bridge and network namespace.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "daemon/base/link_name.h"
#include "daemon/firewall/nft_socket.h"

namespace svnet {

// An empty nftables table that belongs to this socket: held as long as the socket is open,
// and so never longer than the process lives. Only a process with CAP_NET_ADMIN in the
// network namespace can take the name, and such a process can do anything to the network
// anyway. (The name of an abstract Unix socket can be taken by every local user, and its
// queue filled.) AlreadyExists if another process holds it. nullopt if the kernel is older
// than 5.12 and has no such tables: then nothing is locked.
absl::StatusOr<std::optional<NftSocket>> LockInstance(const LinkName& bridge);

}  // namespace svnet
