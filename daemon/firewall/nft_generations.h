// The kernel's count of changes to nftables rules.
#pragma once

#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"
#include "daemon/firewall/nft_socket.h"
#include "daemon/firewall/rule_watch.h"

namespace svnet {

// Knows that other programs have made transactions, but not what they changed. It asks, because
// listening (NftMonitor) would cost everybody who loads a large set memory: 2.4 GiB for 300,000
// elements. So it knows up to kInterval later.
class NftGenerations final : public RuleWatch {
 public:
  // Of the network namespace that the calling thread is in now. `own`: as in Take.
  static absl::StatusOr<std::unique_ptr<NftGenerations>> Open(uint32_t own);
  ~NftGenerations() override;
  NftGenerations(const NftGenerations&) = delete;
  NftGenerations& operator=(const NftGenerations&) = delete;

  int fd() const override { return changed_.get(); }
  absl::StatusOr<RuleChanges> Take(uint32_t own) override;

  static constexpr absl::Duration kInterval = absl::Milliseconds(200);

 private:
  struct Parts {
    NftSocket socket;
    NftSocket asking;  // the thread's
    UniqueFd changed;
    UniqueFd stop;
    uint32_t generation;
  };
  NftGenerations(Parts parts, uint32_t own);

  // Until stop_ is readable.
  void Ask(uint32_t known);
  bool StopsWithin(absl::Duration time) const;

  NftSocket socket_;
  NftSocket asking_;
  UniqueFd changed_;
  UniqueFd stop_;
  uint32_t others_;  // transactions, until the last Take
  std::thread thread_;
};

}  // namespace svnet
