#include "daemon/firewall/nft_firewall.h"

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/table_name.h"
#include "daemon/firewall/connection_table.h"
#include "daemon/firewall/rule_tables.h"
#include "daemon/ruleset/table_template.h"

namespace svnet {
namespace {

// Of the connections that the kernel tracks, one in so many is an owner's.
constexpr uint32_t kOwnerShare = 8;

bool IsUnsupported(const absl::Status& status) {
  return absl::IsUnimplemented(status) || absl::IsInvalidArgument(status);
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
  SVNET_ASSIGN_OR_RETURN(NftMonitor monitor, NftMonitor::Open(names));
  std::unique_ptr<NftFirewall> firewall(new NftFirewall(
      std::move(commands), std::move(socket), std::move(counters), std::move(monitor), spec,
      std::move(names), tables == Tables::kPersistentIfPossible));
  SVNET_RETURN_IF_ERROR(firewall->TakeOver());
  return firewall;
}

absl::Status NftFirewall::TakeOver() {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, socket_.ListTables(names_));
  table_ = NameInForce(tables, table_);
  TableList orphans;
  std::copy_if(tables.begin(), tables.end(), std::back_inserter(orphans),
               [](const NftTableInfo& table) { return table.IsOrphan(); });
  return WithContext("take over the tables of an earlier svnetd", socket_.Adopt(orphans));
}

absl::Status NftFirewall::Apply(const std::vector<NetworkGuests>& networks,
                                OtherForwarding others) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.apply"));
  spec_.others = others;
  const std::optional<RulesetSpec> spec = Resolve();
  SVNET_RETURN_IF_ERROR(Replace(spec.value_or(spec_), networks));
  // The first rules on a host make the kernel track connections, and say how many.
  if (spec.has_value()) return absl::OkStatus();
  return Replace(Resolve().value_or(spec_), networks);
}

absl::Status NftFirewall::Replace(const RulesetSpec& spec,
                                  const std::vector<NetworkGuests>& networks) {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, socket_.ListTables(names_));
  for (const NftTableInfo& table : tables) {
    if (table.owner == 0 || table.owner == socket_.port()) continue;
    return absl::InternalError(absl::StrCat("nftables: Operation not permitted: table ",
                                            table.Words(), " belongs to another process"));
  }
  if (persistent_) {
    const absl::Status status = ReplaceByPersistent(spec, networks, tables);
    if (!IsUnsupported(status)) return status;
    persistent_ = false;
  }
  return ReplaceByPlain(spec, networks, tables);
}

absl::Status NftFirewall::ReplaceByPersistent(const RulesetSpec& spec,
                                              const std::vector<NetworkGuests>& networks,
                                              const TableList& tables) {
  const std::string next = NameInForce(tables, names_[0]) == names_[1] ? names_[2] : names_[1];
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.own"));
  SVNET_RETURN_IF_ERROR(
      socket_.MakePersistentTables(next, kTableComment, TablesNamed(tables, next)));
  absl::Cleanup remove = [&] {
    const absl::StatusOr<TableList> made = socket_.ListTables({next});
    if (made.ok()) socket_.DeleteTables(*made).IgnoreError();
  };
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.fill"));
  SVNET_RETURN_IF_ERROR(commands_.Run(RenderCommands(spec, networks, next)).status());
  std::move(remove).Cancel();
  table_ = next;
  return Retire(TablesNotNamed(tables, next));
}

// No packet is lost if both the old tables and the new ones are in force for a moment (Retire).
// Tables of one name cannot be, so those of another name come between them.
absl::Status NftFirewall::ReplaceByPlain(const RulesetSpec& spec,
                                         const std::vector<NetworkGuests>& networks,
                                         const TableList& tables) {
  const std::string& name = names_[0];
  if (NameInForce(tables, "") != name) return MakePlain(spec, networks, name, tables);
  SVNET_RETURN_IF_ERROR(MakePlain(spec, networks, names_[1], tables));
  SVNET_ASSIGN_OR_RETURN(const TableList others, socket_.ListTables(names_));
  return MakePlain(spec, networks, name, others);
}

absl::Status NftFirewall::MakePlain(const RulesetSpec& spec,
                                    const std::vector<NetworkGuests>& networks,
                                    const std::string& name, const TableList& tables) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.plain"));
  SVNET_RETURN_IF_ERROR(
      commands_.Run(absl::StrCat(RenderEmptyTables(name), RenderCommands(spec, networks, name)))
          .status());
  table_ = name;
  return Retire(TablesNotNamed(tables, name));
}

// In two transactions after the one that made the new tables. Until the kernel has unhooked a chain
// that is deleted, it runs the chain's rules, with maps that are empty by then, and drops guests'
// packets: so the old chains accept everything first. That is not in the first transaction, because
// a packet could pass a new chain right before it and an old one right after it, and meet no rules.
absl::Status NftFirewall::Retire(const TableList& old) {
  if (old.empty()) return absl::OkStatus();
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.accept"));
  SVNET_RETURN_IF_ERROR(socket_.AcceptAll(old));
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.delete"));
  return commands_.Run(RenderDeletion(old)).status();
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
  SVNET_ASSIGN_OR_RETURN(const bool closes,
                         socket_.HasChain(NftElement::Family::kInet, table_, kForwardOthersChain));
  return closes ? OtherForwarding::kClosed : OtherForwarding::kAsItIs;
}

absl::Status NftFirewall::OpenOtherForwarding() {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.open"));
  const std::string chain = absl::StrCat(" chain inet ", table_, " ", kForwardOthersChain, "\n");
  return commands_.Run(absl::StrCat("flush", chain, "delete", chain)).status();
}

absl::StatusOr<bool> NftFirewall::WereChanged() {
  SVNET_ASSIGN_OR_RETURN(const NftChanges changes, monitor_.Take());
  others_changed_ |= changes.lost || changes.others;
  const bool by_others = std::any_of(
      changes.transactions.begin(), changes.transactions.end(),
      [&](const NftTransaction& transaction) { return transaction.port != socket_.port(); });
  return changes.lost || by_others;
}

absl::Status NftFirewall::Bind(const NetworkName& network, const Binding& binding) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.bind"));
  std::vector<NftElement> elements = ElementsOf(binding, spec_.networks.at(network));
  for (NftElement& each : LastingElementsOf(binding, spec_.networks.at(network)))
    elements.push_back(std::move(each));
  return socket_.Add(table_, elements);
}

absl::Status NftFirewall::Unbind(const NetworkName& network, const Binding& binding) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.unbind"));
  const absl::Status status =
      socket_.Delete(table_, ElementsOf(binding, spec_.networks.at(network)));
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
  if (!before.empty()) SVNET_RETURN_IF_ERROR(socket_.Delete(table_, before));
  if (sources.empty()) return absl::OkStatus();
  return socket_.Add(table_, PreferredSourceElements(spec_));
}

absl::StatusOr<bool> NftFirewall::Stand() {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, socket_.ListTables(names_));
  return !tables.empty();
}

absl::StatusOr<std::vector<DropCount>> NftFirewall::ReadDrops(const NetworkName& network) {
  return counters_.Read(table_, OwnPrefix(network));
}

absl::StatusOr<ConnectionTable> NftFirewall::ReadConnections() {
  absl::StatusOr<ConnectionTable> table = ReadConnectionTable();
  if (absl::IsNotFound(table.status())) return ConnectionTable();
  return table;
}

absl::StatusOr<bool> NftFirewall::Remove() {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, socket_.ListTables(names_));
  if (tables.empty()) return false;
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.remove"));
  SVNET_RETURN_IF_ERROR(socket_.DeleteTables(tables));
  return true;
}

absl::Status NftFirewall::Disown(const std::vector<NetworkGuests>& networks,
                                 OtherForwarding others) {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, socket_.ListTables(names_));
  if (std::none_of(tables.begin(), tables.end(),
                   [](const NftTableInfo& table) { return table.IsOwned(); })) {
    return absl::OkStatus();
  }
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.disown"));
  spec_.others = others;
  return WithContext("replace svnetd's tables by those of no program",
                     ReplaceByPlain(Resolve().value_or(spec_), networks, tables));
}

}  // namespace svnet
