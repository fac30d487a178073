// The kernel's notifications of changes to nftables rules.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/firewall/rule_watch.h"
#include "daemon/netlink/netlink_listener.h"

namespace svnet {

// Hears of each change at once, and of which tables: those of some names in the families inet,
// bridge and arp are watched. While it listens the kernel needs 8 KiB for each element that any
// program loads, until that transaction is over: see NftGenerations.
class NftMonitor final : public RuleWatch {
 public:
  // Of the network namespace that the calling thread is in now. `port`: the sender of this
  // program's transactions (NftSocket::port).
  static absl::StatusOr<std::unique_ptr<NftMonitor>> Open(std::vector<std::string> tables,
                                                          uint32_t port);

  int fd() const override { return listener_.fd(); }
  absl::StatusOr<RuleChanges> Take(uint32_t own) override;

 private:
  NftMonitor(NetlinkListener listener, std::vector<std::string> tables, uint32_t port)
      : listener_(std::move(listener)), tables_(std::move(tables)), port_(port) {}

  void Add(const NetlinkReader& message, RuleChanges* changes);

  NetlinkListener listener_;
  std::vector<std::string> tables_;
  uint32_t port_;
  // Of the transaction whose messages are being read: its end comes last.
  bool touched_ = false;
};

}  // namespace svnet
