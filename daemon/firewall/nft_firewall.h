// The Firewall that is there: nftables.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/firewall/firewall.h"
#include "daemon/firewall/nft_commands.h"
#include "daemon/firewall/nft_counters.h"
#include "daemon/firewall/nft_monitor.h"
#include "daemon/firewall/nft_socket.h"
#include "daemon/ruleset/ruleset.h"

namespace svnet {

class NftFirewall final : public Firewall {
 public:
  // Of the network namespace that the calling thread is in now.
  static absl::StatusOr<std::unique_ptr<NftFirewall>> Open(const RulesetSpec& spec);

  absl::Status Apply(const GuestBridge& bridge, const std::vector<Binding>& bindings,
                     OtherForwarding others) override;
  absl::StatusOr<OtherForwarding> ReadOtherForwarding() override;
  absl::Status OpenOtherForwarding() override;
  absl::Status Bind(const Binding& binding) override;
  absl::Status Unbind(const Binding& binding) override;
  absl::StatusOr<bool> Stand() override;
  absl::StatusOr<std::vector<DropCount>> ReadDrops() override;
  absl::StatusOr<ConnectionTable> ReadConnections() override;
  absl::StatusOr<bool> Remove() override;
  int changes_fd() const override { return monitor_.fd(); }
  absl::StatusOr<bool> WereChanged() override;
  bool OthersWereChanged() override { return std::exchange(others_changed_, false); }

 private:
  NftFirewall(NftCommands commands, NftSocket socket, NftCounters counters, NftMonitor monitor,
              RulesetSpec spec)
      : commands_(std::move(commands)),
        socket_(std::move(socket)),
        counters_(std::move(counters)),
        monitor_(std::move(monitor)),
        spec_(std::move(spec)) {}

  // The spec with what it leaves to the kernel: nullopt if that is not to be had yet.
  std::optional<RulesetSpec> Resolve() const;
  absl::Status Replace(const RulesetSpec& spec, const GuestBridge& bridge,
                       const std::vector<Binding>& bindings);
  // Runs commands of our own that change something.
  absl::Status Change(const std::string& commands);
  // How many of our tables stand.
  absl::StatusOr<int> CountTables();
  bool IsOurs(const NftTransaction& transaction) const;

  NftCommands commands_;
  NftSocket socket_;
  NftCounters counters_;
  NftMonitor monitor_;
  RulesetSpec spec_;
  // Those of Change that the monitor has not told of yet.
  std::set<uint32_t> own_generations_;
  bool others_changed_ = false;
};

}  // namespace svnet
