// The process that makes gates.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// It has one thread, never starts gRPC, and makes gates by fork alone: what a program loads and
// relocates is done once. It has no privilege, and starts no program. What it is asked is in
// daemon/wire/gate_request.h; when who asks has gone, its gates end.

// Forks one for a svnetd that is started by hand, and gives up what root has (see
// privileges.h). Call it before there are threads, and before anything of gRPC's. What is
// returned is svnetd's end: closed by the parent's end when that ends.
absl::StatusOr<UniqueFd> ForkGateParent();

// svnetd's end of a connection to the parent that listens at `path`.
absl::StatusOr<UniqueFd> ConnectGateParent(const std::string& path);

// Is one, for the svnetd at the other end of `requests`, a SOCK_SEQPACKET, until that is gone.
[[noreturn]] void RunGateParent(UniqueFd requests);

// `svnetd --gates`: is one, for each process of root's that connects to the socket that systemd
// listens at (sd_listen_fds(3)), one after the other: a new connection ends the gates of the one
// before. Returns an exit code if that cannot be.
int ServeGateParent();

}  // namespace svnet
