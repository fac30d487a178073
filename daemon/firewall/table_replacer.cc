#include "daemon/firewall/table_replacer.h"

#include <algorithm>
#include <iterator>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/ruleset/quoted_address_rule.h"

namespace svnet {

absl::Status TableReplacer::TakeOver() {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, List());
  in_force_ = NameInForce(tables, in_force_);
  TableList orphans;
  std::copy_if(tables.begin(), tables.end(), std::back_inserter(orphans),
               [](const NftTableInfo& table) { return table.IsOrphan(); });
  return WithContext("take over the tables of an earlier svnetd", socket_.Adopt(orphans));
}

absl::Status TableReplacer::Replace(const RulesetSpec& spec,
                                    const std::vector<NetworkGuests>& networks) {
  SVNET_ASSIGN_OR_RETURN(const TableList tables, List());
  for (const NftTableInfo& table : tables) {
    if (table.owner == 0 || table.owner == socket_.port()) continue;
    return absl::InternalError(absl::StrCat("nftables: Operation not permitted: table ",
                                            table.Words(), " belongs to another process"));
  }
  return persistent_ ? ReplaceByPersistent(spec, networks, tables)
                     : ReplaceByPlain(spec, networks, tables);
}

absl::Status TableReplacer::ReplaceByPersistent(const RulesetSpec& spec,
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
  SVNET_RETURN_IF_ERROR(Make(RenderCommands(spec, networks, next), spec, networks, next));
  std::move(remove).Cancel();
  in_force_ = next;
  owned_ = true;
  return Retire(TablesNotNamed(tables, next));
}

// No packet is lost if both the old tables and the new ones are in force for a moment (Retire).
// Tables of one name cannot be, so those of another name come between them.
absl::Status TableReplacer::ReplaceByPlain(const RulesetSpec& spec,
                                           const std::vector<NetworkGuests>& networks,
                                           const TableList& tables) {
  const std::string& name = names_[0];
  if (NameInForce(tables, "") != name) return MakePlain(spec, networks, name, tables);
  SVNET_RETURN_IF_ERROR(MakePlain(spec, networks, names_[1], tables));
  SVNET_ASSIGN_OR_RETURN(const TableList others, List());
  return MakePlain(spec, networks, name, others);
}

absl::Status TableReplacer::MakePlain(const RulesetSpec& spec,
                                      const std::vector<NetworkGuests>& networks,
                                      const std::string& name, const TableList& tables) {
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.plain"));
  SVNET_RETURN_IF_ERROR(
      Make(absl::StrCat(RenderEmptyTables(name), RenderCommands(spec, networks, name)), spec,
           networks, name));
  in_force_ = name;
  owned_ = false;
  return Retire(TablesNotNamed(tables, name));
}

absl::Status TableReplacer::Make(const std::string& commands, const RulesetSpec& spec,
                                 const std::vector<NetworkGuests>& networks,
                                 const std::string& name) {
  SVNET_RETURN_IF_ERROR(commands_.Run(commands).status());
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.quotes"));
  return socket_.AddRules(name, QuotedAddressRulesOf(spec, networks));
}

// In two transactions after the one that made the new tables. Until the kernel has unhooked a chain
// that is deleted, it runs the chain's rules, with maps that are empty by then, and drops guests'
// packets: so the old chains accept everything first. That is not in the first transaction, because
// a packet could pass a new chain right before it and an old one right after it, and meet no rules.
absl::Status TableReplacer::Retire(const TableList& old) {
  if (old.empty()) return absl::OkStatus();
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.accept"));
  SVNET_RETURN_IF_ERROR(socket_.AcceptAll(old));
  SVNET_RETURN_IF_ERROR(FaultPoint("rules.delete"));
  return commands_.Run(RenderDeletion(old)).status();
}

}  // namespace svnet
