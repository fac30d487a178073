// The kernel's notifications of changes to links, addresses, neighbours, routes and forwarding.
#pragma once

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_listener.h"

namespace svnet {

// Not thread-safe.
class LinkMonitor {
 public:
  // Of the network namespace that the calling thread is in now; of routes, those of the whole
  // internet, or half of it, and those that have addresses in common with one of `prefixes`, of
  // which there are at most 256. What comes waits in `receive_buffer` bytes; what finds no room is
  // lost, and that is said.
  static absl::StatusOr<LinkMonitor> Open(const std::vector<Ipv4Prefix>& prefixes,
                                          int receive_buffer = kReceiveBuffer);

  // Of others from now on. An error: of the same as before.
  absl::Status WatchRoutesOf(const std::vector<Ipv4Prefix>& prefixes);

  int fd() const { return listener_.fd(); }
  // See Kernel::TakeChanges.
  absl::StatusOr<KernelChanges> Take();

  // A thousand TAPs that come or go at once say about 10 KiB each.
  static constexpr int kReceiveBuffer = 16 << 20;

 private:
  explicit LinkMonitor(NetlinkListener listener) : listener_(std::move(listener)) {}

  NetlinkListener listener_;
};

// Adds what one notification says. Pure.
void AddChange(const NetlinkReader& message, KernelChanges* changes);

}  // namespace svnet
