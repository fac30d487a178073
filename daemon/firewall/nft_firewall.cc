#include "daemon/firewall/nft_firewall.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/table_name.h"
#include "daemon/firewall/connection_table.h"
#include "daemon/firewall/nft_generations.h"
#include "daemon/firewall/nft_monitor.h"
#include "daemon/firewall/rule_tables.h"
#include "daemon/ruleset/table_template.h"

namespace svnet {
namespace {

// Of the connections that the kernel tracks, one in so many is an owner's.
constexpr uint32_t kOwnerShare = 8;

// Tables that nobody else can change need nobody who hears of it at once.
absl::StatusOr<std::unique_ptr<RuleWatch>> WatchFor(bool persistent,
                                                    const std::vector<std::string>& names,
                                                    const NftSocket& socket) {
  if (persistent) return NftGenerations::Open(socket.transactions());
  return NftMonitor::Open(names, socket.port());
}

}  // namespace

absl::StatusOr<std::unique_ptr<NftFirewall>> NftFirewall::Open(const LinkName& bridge,
                                                               const RulesetSpec& spec,
                                                               Tables tables) {
  std::vector<std::string> names = TableNames(bridge.text());
  SVNET_ASSIGN_OR_RETURN(NftCommands commands, NftCommands::Open(NftCommands::Output::kText));
  SVNET_ASSIGN_OR_RETURN(UniqueFd shared, commands.ShareSocket());
  SVNET_ASSIGN_OR_RETURN(NftSocket socket, NftSocket::Share(std::move(shared)));
  SVNET_ASSIGN_OR_RETURN(NftCounters counters, NftCounters::Open());
  bool persistent = tables == Tables::kPersistentIfPossible;
  if (persistent) {
    SVNET_ASSIGN_OR_RETURN(persistent, socket.CanPersist(absl::StrCat(names[0], "/probe")));
  }
  SVNET_ASSIGN_OR_RETURN(std::unique_ptr<RuleWatch> watch, WatchFor(persistent, names, socket));
  std::unique_ptr<NftFirewall> firewall(new NftFirewall({.commands = std::move(commands),
                                                         .socket = std::move(socket),
                                                         .counters = std::move(counters),
                                                         .watch = std::move(watch),
                                                         .names = std::move(names),
                                                         .persistent = persistent},
                                                        spec));
  SVNET_RETURN_IF_ERROR(firewall->tables_.TakeOver());
  return firewall;
}

absl::Status NftFirewall::Apply(const std::vector<NetworkGuests>& networks,
                                OtherForwarding others) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.apply"));
  spec_.others = others;
  const std::optional<RulesetSpec> spec = Resolve();
  SVNET_RETURN_IF_ERROR(tables_.Replace(spec.value_or(spec_), networks));
  // The first rules on a host make the kernel track connections, and say how many.
  if (spec.has_value()) return absl::OkStatus();
  return tables_.Replace(Resolve().value_or(spec_), networks);
}

std::optional<RulesetSpec> NftFirewall::Resolve() const {
  RulesetSpec spec = spec_;
  if (spec.owner_connections.has_value()) return spec;
  const absl::StatusOr<ConnectionTable> table = ReadConnectionTable();
  if (!table.ok()) return std::nullopt;
  spec.owner_connections = std::max(table->size / kOwnerShare, 1u);
  return spec;
}

absl::StatusOr<OtherForwarding> NftFirewall::ReadOtherForwarding() {
  SVNET_ASSIGN_OR_RETURN(
      const bool closes,
      socket_.HasRules(NftElement::Family::kInet, tables_.in_force(), kForwardOthersChain));
  return closes ? OtherForwarding::kClosed : OtherForwarding::kAsItIs;
}

absl::Status NftFirewall::OpenOtherForwarding() {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.open"));
  SVNET_ASSIGN_OR_RETURN(const OtherForwarding others, ReadOtherForwarding());
  if (others == OtherForwarding::kAsItIs)
    return absl::NotFoundError("the host forwards for others");
  return commands_
      .Run(absl::StrCat("flush chain inet ", tables_.in_force(), " ", kForwardOthersChain, "\n"))
      .status();
}

absl::StatusOr<bool> NftFirewall::WereChanged() {
  SVNET_ASSIGN_OR_RETURN(const RuleChanges changes,
                         watch_->Take(commands_.runs() + socket_.transactions()));
  others_changed_ |= changes.others;
  return changes.watched && !tables_.owned();
}

absl::Status NftFirewall::Bind(const NetworkName& network, const Binding& binding) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.bind"));
  const RulesetNetwork& rules = spec_.networks.at(network);
  return socket_.Add(tables_.in_force(), ElementsOf(binding, rules),
                     LastingElementsOf(binding, rules));
}

absl::Status NftFirewall::Unbind(const NetworkName& network, const Binding& binding) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.unbind"));
  const absl::Status status =
      socket_.Delete(tables_.in_force(), ElementsOf(binding, spec_.networks.at(network)));
  if (status.ok()) return status;
  SVNET_ASSIGN_OR_RETURN(const bool stand, Stand());
  return stand ? status : absl::OkStatus();
}

absl::Status NftFirewall::SetPreferredSources(const std::map<Ifindex, Ipv4Address>& sources) {
  const std::vector<NftElement> before = PreferredSourceElements(spec_);
  spec_.preferred_sources = sources;
  SVNET_ASSIGN_OR_RETURN(const bool stand, Stand());
  if (!stand) return absl::OkStatus();
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.sources"));
  // In between they leave as masquerade has it.
  if (!before.empty()) SVNET_RETURN_IF_ERROR(socket_.Delete(tables_.in_force(), before));
  if (sources.empty()) return absl::OkStatus();
  return socket_.Add(tables_.in_force(), PreferredSourceElements(spec_));
}

absl::StatusOr<bool> NftFirewall::Stand() {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, tables_.List());
  return !tables.empty();
}

absl::StatusOr<std::vector<DropCount>> NftFirewall::ReadDrops(const NetworkName& network) {
  return counters_.Read(tables_.in_force(), OwnPrefix(network));
}

absl::StatusOr<ConnectionTable> NftFirewall::ReadConnections() {
  absl::StatusOr<ConnectionTable> table = ReadConnectionTable();
  if (absl::IsNotFound(table.status())) return ConnectionTable();
  return table;
}

absl::StatusOr<bool> NftFirewall::Remove() {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, tables_.List());
  if (tables.empty()) return false;
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.remove"));
  SVNET_RETURN_IF_ERROR(socket_.DeleteTables(tables));
  return true;
}

absl::Status NftFirewall::Disown(const std::vector<NetworkGuests>& networks,
                                 OtherForwarding others) {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, tables_.List());
  if (std::none_of(tables.begin(), tables.end(),
                   [](const NftTableInfo& table) { return table.IsOwned(); })) {
    return absl::OkStatus();
  }
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.disown"));
  spec_.others = others;
  return WithContext("replace svnetd's tables by those of no program",
                     tables_.ReplaceByPlain(Resolve().value_or(spec_), networks, tables));
}

}  // namespace svnet
