#include "daemon/firewall/nft_firewall.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/table_name.h"
#include "daemon/firewall/connection_table.h"

namespace svnet {
namespace {

// Of the connections that the kernel tracks, one in so many is an owner's.
constexpr uint32_t kOwnerShare = 8;

// Deletes the tables, if they are there.
std::string RenderRemoval(const std::string& table) {
  std::string removal;
  // To add a table before it is deleted makes "delete" right whether or not it was there.
  for (const std::string& family : TableFamilies()) {
    const std::string words = absl::StrCat(" table ", family, " ", table, "\n");
    absl::StrAppend(&removal, "add", words, "delete", words);
  }
  return removal;
}

// Deletes the chain kForwardOthersChain, which must be there.
std::string RenderOpening(const std::string& table) {
  const std::string chain = absl::StrCat(" chain inet ", table, " ", kForwardOthersChain, "\n");
  return absl::StrCat("flush", chain, "delete", chain);
}

}  // namespace

absl::StatusOr<std::unique_ptr<NftFirewall>> NftFirewall::Open(const RulesetSpec& spec) {
  SVNET_ASSIGN_OR_RETURN(NftCommands commands, NftCommands::Open(NftCommands::Output::kText));
  SVNET_ASSIGN_OR_RETURN(NftSocket socket, NftSocket::Open());
  SVNET_ASSIGN_OR_RETURN(NftCounters counters, NftCounters::Open());
  SVNET_ASSIGN_OR_RETURN(NftMonitor monitor, NftMonitor::Open(TableName(spec.bridge)));
  return std::unique_ptr<NftFirewall>(new NftFirewall(
      std::move(commands), std::move(socket), std::move(counters), std::move(monitor), spec));
}

absl::Status NftFirewall::Apply(const GuestBridge& bridge, const std::vector<Binding>& bindings,
                                OtherForwarding others) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.apply"));
  spec_.others = others;
  const std::optional<RulesetSpec> spec = Resolve();
  SVNET_RETURN_IF_ERROR(Replace(spec.value_or(spec_), bridge, bindings));
  // The first rules on a host make the kernel track connections, and say how many.
  if (spec.has_value()) return absl::OkStatus();
  return Replace(Resolve().value_or(spec_), bridge, bindings);
}

absl::Status NftFirewall::Replace(const RulesetSpec& spec, const GuestBridge& bridge,
                                  const std::vector<Binding>& bindings) {
  const std::string table = TableName(spec.bridge);
  return Change(absl::StrCat(RenderRemoval(table), RenderRuleset(spec, bridge, bindings, table)));
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
      socket_.HasChain(NftElement::Family::kInet, TableName(spec_.bridge), kForwardOthersChain));
  return closes ? OtherForwarding::kClosed : OtherForwarding::kAsItIs;
}

absl::Status NftFirewall::OpenOtherForwarding() {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.open"));
  return Change(RenderOpening(TableName(spec_.bridge)));
}

absl::Status NftFirewall::Change(const std::string& commands) {
  SVNET_ASSIGN_OR_RETURN(const uint32_t before, socket_.ReadGeneration());
  SVNET_RETURN_IF_ERROR(commands_.Run(commands).status());
  SVNET_ASSIGN_OR_RETURN(const uint32_t after, socket_.ReadGeneration());
  // Where somebody else's was in between, ours cannot be told from that one.
  if (after == before + 1) own_generations_.insert(after);
  return absl::OkStatus();
}

absl::StatusOr<bool> NftFirewall::WereChanged() {
  SVNET_ASSIGN_OR_RETURN(const NftChanges changes, monitor_.Take());
  bool changed = changes.lost;
  others_changed_ |= changes.lost || changes.others;
  for (const NftTransaction& transaction : changes.transactions) changed |= !IsOurs(transaction);
  own_generations_.clear();
  return changed;
}

bool NftFirewall::IsOurs(const NftTransaction& transaction) const {
  return transaction.port == socket_.port() || own_generations_.contains(transaction.generation);
}

absl::Status NftFirewall::Bind(const Binding& binding) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.bind"));
  return socket_.Add(TableName(spec_.bridge), ElementsOf(binding, spec_));
}

absl::Status NftFirewall::Unbind(const Binding& binding) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.unbind"));
  const absl::Status status = socket_.Delete(TableName(spec_.bridge), ElementsOf(binding, spec_));
  if (status.ok()) return status;
  SVNET_ASSIGN_OR_RETURN(const bool stand, Stand());
  return stand ? status : absl::OkStatus();
}

absl::StatusOr<bool> NftFirewall::Stand() {
  SVNET_ASSIGN_OR_RETURN(const int standing, CountTables());
  return standing > 0;
}

absl::StatusOr<std::vector<DropCount>> NftFirewall::ReadDrops() {
  return counters_.Read(TableName(spec_.bridge));
}

absl::StatusOr<ConnectionTable> NftFirewall::ReadConnections() {
  absl::StatusOr<ConnectionTable> table = ReadConnectionTable();
  if (absl::IsNotFound(table.status())) return ConnectionTable();
  return table;
}

absl::StatusOr<bool> NftFirewall::Remove() {
  SVNET_ASSIGN_OR_RETURN(const bool stand, Stand());
  if (!stand) return false;
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.remove"));
  SVNET_RETURN_IF_ERROR(Change(RenderRemoval(TableName(spec_.bridge))));
  return true;
}

absl::StatusOr<int> NftFirewall::CountTables() {
  SVNET_ASSIGN_OR_RETURN(const std::string tables, commands_.Run("list tables\n"));
  const std::vector<absl::string_view> lines = absl::StrSplit(tables, '\n');
  int count = 0;
  for (const std::string& family : TableFamilies()) {
    const std::string ours = absl::StrCat("table ", family, " ", TableName(spec_.bridge));
    count += static_cast<int>(std::count(lines.begin(), lines.end(), ours));
  }
  return count;
}

}  // namespace svnet
