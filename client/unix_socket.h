// Connects to one of svnetd's sockets.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "client/failure.h"
#include "daemon/base/unique_fd.h"

namespace svnet::client {

// `type`: SOCK_STREAM or SOCK_SEQPACKET. Waits no longer than `timeout` for a place in the
// listener's queue, and no longer in each later call that sends (SO_SNDTIMEO). The failure says why
// and what would help.
Result<UniqueFd> ConnectTo(const std::string& path, int type, absl::Duration timeout);

}  // namespace svnet::client
