// The kernel's notifications of what changes (netlink(7), multicast groups).
#pragma once

#include <linux/filter.h>

#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "daemon/base/unique_fd.h"
#include "daemon/netlink/netlink_reader.h"

namespace svnet {

// Not thread-safe.
class NetlinkListener {
 public:
  // Listens to `groups` (RTNLGRP_... and the like) of `protocol`, in the network namespace that
  // the calling thread is in now. What comes waits in `receive_buffer` bytes; what finds no
  // room is lost, and Take says so. What `filter` rejects does not come; empty: all comes.
  static absl::StatusOr<NetlinkListener> Open(int protocol, absl::Span<const int> groups,
                                              int receive_buffer,
                                              absl::Span<const sock_filter> filter = {});

  // Replaces the filter in one step.
  absl::Status SetFilter(absl::Span<const sock_filter> filter);

  int fd() const { return socket_.get(); }

  // Calls `visit` for each message since the last call, or since Open. Does not wait. True if
  // some were lost.
  absl::StatusOr<bool> Take(absl::FunctionRef<void(const NetlinkReader&)> visit);

 private:
  explicit NetlinkListener(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

}  // namespace svnet
