// The counters that rules name, straight from the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/firewall/firewall.h"
#include "daemon/netlink/netlink_socket.h"

namespace svnet {

// libnftables would read all tables and the elements of all sets before it shows one
// counter (see NftSocket). Not thread-safe.
class NftCounters {
 public:
  // Of the network namespace that the calling thread is in now.
  static absl::StatusOr<NftCounters> Open();

  // Those of the tables of that name in the families inet and bridge that have the prefix, without
  // it; none if there are no such tables. An empty prefix is that of names without any.
  absl::StatusOr<std::vector<DropCount>> Read(const std::string& table, absl::string_view prefix);

 private:
  explicit NftCounters(NetlinkSocket socket) : socket_(std::move(socket)) {}

  NetlinkSocket socket_;
};

}  // namespace svnet
