// The kernel's notifications of changes to nftables rules.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/netlink/netlink_listener.h"

namespace svnet {

// A transaction that changed one of the watched tables.
struct NftTransaction {
  uint32_t generation = 0;  // see NftSocket::ReadGeneration
  uint32_t port = 0;        // of the sender: see NftSocket::port

  friend bool operator==(const NftTransaction&, const NftTransaction&) = default;
};

struct NftChanges {
  // Some were lost: anything may have changed.
  bool lost = false;
  std::vector<NftTransaction> transactions;
  // Other tables were changed.
  bool others = false;
};

// Watches the tables of some names in the families inet, bridge and arp. Not thread-safe.
class NftMonitor {
 public:
  // Of the network namespace that the calling thread is in now.
  static absl::StatusOr<NftMonitor> Open(std::vector<std::string> tables);

  int fd() const { return listener_.fd(); }
  // Since the last call, or since Open. Does not wait.
  absl::StatusOr<NftChanges> Take();

 private:
  NftMonitor(NetlinkListener listener, std::vector<std::string> tables)
      : listener_(std::move(listener)), tables_(std::move(tables)) {}

  void Add(const NetlinkReader& message, NftChanges* changes);

  NetlinkListener listener_;
  std::vector<std::string> tables_;
  // Of the transaction whose messages are being read: its end comes last.
  bool touched_ = false;
};

}  // namespace svnet
