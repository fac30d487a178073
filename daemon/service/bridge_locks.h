// Keeps every other svnetd off the bridges of all networks.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "daemon/base/link_name.h"
#include "daemon/firewall/nft_socket.h"

namespace svnet {

// As long as it lives. Not thread-safe.
class BridgeLocks {
 public:
  // OK if it has that lock already, and if the kernel has no such locks (LockInstance), which is
  // said once in the log. AlreadyExists if another svnetd has it.
  absl::Status Lock(const LinkName& bridge);

 private:
  std::map<std::string, NftSocket> locks_;  // by bridge
  bool said_ = false;
};

}  // namespace svnet
