// What rtnetlink is asked of links of any kind.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// All of them.
absl::StatusOr<std::vector<Link>> DumpLinks(NetlinkSocket& socket);
// nullopt: there is none.
absl::StatusOr<std::optional<Link>> FindLink(NetlinkSocket& socket, const LinkName& name);
absl::StatusOr<std::optional<Link>> FindLink(NetlinkSocket& socket, Ifindex ifindex);

absl::Status SetLinkUp(NetlinkSocket& socket, Ifindex link, bool up);

}  // namespace svnet
