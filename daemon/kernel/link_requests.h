// What rtnetlink is asked of links of any kind.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_message.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// All of them.
absl::StatusOr<std::vector<Link>> DumpLinks(NetlinkSocket& socket);
// nullopt: there is none.
absl::StatusOr<std::optional<Link>> FindLink(NetlinkSocket& socket, const LinkName& name);
absl::StatusOr<std::optional<Link>> FindLink(NetlinkSocket& socket, Ifindex ifindex);

// Has the kernel attend to a change of the link's carrier now, if it is one that does when it is
// asked for the link (Linux 6.8): else it does so when it has time, for a hundred links a second.
absl::Status SettleCarrier(NetlinkSocket& socket, Ifindex ifindex);

// What a queue of the TAP does not take is dropped, as it was before: the TAP's own queue was full
// long before the one that the kernel would put before it. That costs memory for each queue that a
// multi-queue TAP may ever have, 256 (25 KiB each), and time for each packet.
NetlinkMessage NoQueueRequest(Ifindex tap);

absl::Status SetLinkUp(NetlinkSocket& socket, Ifindex link, bool up);

}  // namespace svnet
