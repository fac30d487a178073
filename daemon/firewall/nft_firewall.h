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
#include "daemon/firewall/nft_monitor.h"
#include "daemon/firewall/nft_socket.h"
#include "daemon/ruleset/ruleset.h"

namespace svnet {

// The rules are in three tables of one name, which are replaced whole.
//
// Where the kernel can (from 6.9 on), the tables are svnetd's own: `nft flush ruleset` of
// another program passes over them, and when svnetd has ended they stay, until the next one
// owns them. Such a table cannot be replaced under its name in one step, so there are two
// names, and each Apply uses the other one. Disown replaces them by plain tables, because nft up
// to 1.0.7 cannot print as JSON those that have lost their owner. On an older kernel all tables
// are plain: they can be flushed, and Apply repairs that. They keep their name, and those of
// another name are in force while Apply replaces them.
//
// libnftables does not know such tables. So they are made by messages on its own socket, and
// its commands only fill them; none of these has it read the sets of other tables.
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
  int changes_fd() const override { return monitor_.fd(); }
  absl::StatusOr<bool> WereChanged() override;
  bool OthersWereChanged() override { return std::exchange(others_changed_, false); }

 private:
  NftFirewall(NftCommands commands, NftSocket socket, NftCounters counters, NftMonitor monitor,
              RulesetSpec spec, std::vector<std::string> names, bool persistent)
      : commands_(std::move(commands)),
        socket_(std::move(socket)),
        counters_(std::move(counters)),
        monitor_(std::move(monitor)),
        spec_(std::move(spec)),
        names_(std::move(names)),
        persistent_(persistent),
        table_(names_[0]) {}

  // Owns the tables of an earlier svnetd, and finds out which are in force.
  absl::Status TakeOver();
  // The spec with what it leaves to the kernel: nullopt if that is not to be had yet.
  std::optional<RulesetSpec> Resolve() const;
  // Replaces what there is.
  absl::Status Replace(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks);
  absl::Status ReplaceByPersistent(const RulesetSpec& spec,
                                   const std::vector<NetworkGuests>& networks,
                                   const std::vector<NftTableInfo>& tables);
  absl::Status ReplaceByPlain(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks,
                              const std::vector<NftTableInfo>& tables);
  // In place of all others.
  absl::Status MakePlain(const RulesetSpec& spec, const std::vector<NetworkGuests>& networks,
                         const std::string& name, const std::vector<NftTableInfo>& tables);
  // Takes away old tables, beside which new ones are in force.
  absl::Status Retire(const std::vector<NftTableInfo>& old);

  NftCommands commands_;
  NftSocket socket_;  // the commands', too
  NftCounters counters_;
  NftMonitor monitor_;
  RulesetSpec spec_;
  const std::vector<std::string> names_;  // that the tables may have (TableNames)
  bool persistent_;                       // until the kernel says that it cannot
  std::string table_;                     // the name of those in force
  bool others_changed_ = false;
};

}  // namespace svnet
