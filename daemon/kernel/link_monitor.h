// The kernel's notifications of changes to links, addresses, neighbours and forwarding.
#pragma once

#include <linux/netlink.h>

#include <utility>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// Not thread-safe.
class LinkMonitor {
 public:
  // Of the network namespace that the calling thread is in now. What comes waits in
  // `receive_buffer` bytes; what finds no room is lost, and that is said.
  static absl::StatusOr<LinkMonitor> Open(int receive_buffer = kReceiveBuffer);

  int fd() const { return socket_.get(); }
  // See Kernel::TakeChanges.
  absl::StatusOr<KernelChanges> Take();

  // A thousand TAPs that come or go at once say about 10 KiB each.
  static constexpr int kReceiveBuffer = 16 << 20;

 private:
  explicit LinkMonitor(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

// Adds what one notification says. Pure.
void AddChange(nlmsghdr* message, KernelChanges* changes);

}  // namespace svnet
