#include "daemon/service/bridge_locks.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/firewall/instance_lock.h"

namespace svnet {

absl::Status BridgeLocks::Lock(const LinkName& bridge) {
  if (locks_.contains(bridge.text())) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(std::optional<NftSocket> lock, LockInstance(bridge));
  if (lock.has_value()) {
    locks_.emplace(bridge.text(), *std::move(lock));
  } else if (!std::exchange(said_, true)) {
    spdlog::warn(
        "this kernel has no nftables tables with an owner (Linux 5.12 has them): svnetd cannot "
        "tell whether another svnetd uses bridge {}",
        bridge.text());
  }
  return absl::OkStatus();
}

}  // namespace svnet
