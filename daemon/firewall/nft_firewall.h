// The Firewall that is there: nftables.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/firewall/firewall.h"
#include "daemon/firewall/nft_commands.h"
#include "daemon/firewall/nft_counters.h"
#include "daemon/firewall/nft_socket.h"
#include "daemon/firewall/rule_watch.h"
#include "daemon/firewall/table_replacer.h"
#include "daemon/ruleset/ruleset.h"

namespace svnet {

// The rules are in tables that Apply replaces whole: see TableReplacer. Where they are svnetd's
// own, Disown replaces them by plain tables, because nft up to 1.0.7 cannot print as JSON those
// that have lost their owner. Where they are plain, others can flush them, and Apply repairs that.
//
// None of the commands has libnftables read the sets of other tables.
class NftFirewall final : public Firewall {
 public:
  enum class Tables { kPersistentIfPossible, kPlain };

  // Of the network namespace that the calling thread is in now. Owns what an earlier svnetd
  // has left. `bridge`: what the tables are named after.
  static absl::StatusOr<std::unique_ptr<NftFirewall>> Open(
      const LinkName& bridge, const RulesetSpec& spec,
      Tables tables = Tables::kPersistentIfPossible);

  void AddNetwork(const RulesetNetwork& network) override {
    spec_.networks.emplace(network.name, network);
  }
  absl::Status Apply(const std::vector<NetworkGuests>& networks, OtherForwarding others) override;
  absl::StatusOr<OtherForwarding> ReadOtherForwarding() override;
  absl::Status OpenOtherForwarding() override;
  absl::Status Bind(const NetworkName& network, const Binding& binding) override;
  absl::Status Unbind(const NetworkName& network, const Binding& binding) override;
  absl::Status SetPreferredSources(const std::map<Ifindex, Ipv4Address>& sources) override;
  absl::StatusOr<bool> Stand() override;
  absl::StatusOr<std::vector<DropCount>> ReadDrops(const NetworkName& network) override;
  absl::StatusOr<ConnectionTable> ReadConnections() override;
  absl::StatusOr<bool> Remove() override;
  absl::Status Disown(const std::vector<NetworkGuests>& networks, OtherForwarding others) override;
  int changes_fd() const override { return watch_->fd(); }
  absl::StatusOr<bool> WereChanged() override;
  bool OthersWereChanged() override { return std::exchange(others_changed_, false); }

 private:
  struct Parts {
    NftCommands commands;
    NftSocket socket;
    NftCounters counters;
    std::unique_ptr<RuleWatch> watch;
    std::vector<std::string> names;
    bool persistent;
  };
  NftFirewall(Parts parts, RulesetSpec spec)
      : commands_(std::move(parts.commands)),
        socket_(std::move(parts.socket)),
        counters_(std::move(parts.counters)),
        watch_(std::move(parts.watch)),
        spec_(std::move(spec)),
        tables_(std::move(parts.names), parts.persistent, &commands_, &socket_) {}

  // The spec with what it leaves to the kernel: nullopt if that is not to be had yet.
  std::optional<RulesetSpec> Resolve() const;

  NftCommands commands_;
  NftSocket socket_;  // the commands', too
  NftCounters counters_;
  std::unique_ptr<RuleWatch> watch_;
  RulesetSpec spec_;
  TableReplacer tables_;
  bool others_changed_ = false;
};

}  // namespace svnet
