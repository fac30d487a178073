// A network's bridge, by rtnetlink.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// For one call: it keeps nothing.
class NetlinkBridge {
 public:
  // Both must outlive it.
  NetlinkBridge(NetlinkSocket* socket, const BridgeSpec& spec) : socket_(socket), spec_(spec) {}

  // See Kernel::EnsureBridge.
  absl::StatusOr<Bridge> Ensure();
  // See Kernel::ReleaseBridge.
  absl::StatusOr<bool> Release();

 private:
  // An address of the bridge, and what its IFA_PROTO says of how it came there.
  struct Address {
    LinkAddress at;
    uint8_t protocol;
  };

  absl::StatusOr<Link> FindOrCreate(bool* created);
  absl::Status Create();
  absl::Status EnsureAddress(const Link& link, Bridge* bridge);
  absl::StatusOr<std::vector<Address>> ListAddresses(Ifindex bridge);
  absl::Status ChangeAddress(int type, int flags, Ifindex bridge, uint8_t protocol);
  absl::Status Repair(const Link& link, Bridge* bridge);
  absl::Status StopSpanningTree(const Link& bridge);
  absl::Status ReleaseForeign(const Link& bridge);
  absl::Status Delete(Ifindex bridge);

  NetlinkSocket* const socket_;
  const BridgeSpec& spec_;
};

}  // namespace svnet
