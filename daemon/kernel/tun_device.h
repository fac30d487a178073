// /dev/net/tun (Documentation/networking/tuntap.rst).
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

struct TapDevice {
  UniqueFd fd;
  Ifindex ifindex;
};

// A new TAP that lives as long as the descriptor. AlreadyExists if there is a link
// of that name: an existing TAP is never opened, as root could by accident.
// `ioctl_socket`, of whatever kind, is of the network namespace that the thread is in.
absl::StatusOr<TapDevice> CreateTapDevice(const UniqueFd& ioctl_socket, const TapSpec& spec);

// Opens a queue of a TAP that is there; of one that is not multi-queue no other process can until
// the descriptor is closed, which does not block. nullopt: processes hold all queues that there
// can be. NotFound: there is no such TAP.
absl::StatusOr<std::optional<TapDevice>> OpenTapDevice(const UniqueFd& ioctl_socket,
                                                       const LinkName& name, bool multi_queue);

// See Kernel::ResetQueueSettings.
absl::Status ResetTapDevice(const UniqueFd& tap);

// The TAP has no carrier until somebody else opens it (TUNSETCARRIER).
absl::Status SwitchCarrierOff(const UniqueFd& tap);

// The TAP outlives its descriptor from now on (TUNSETPERSIST).
absl::Status MakePersistent(const UniqueFd& tap);

}  // namespace svnet
