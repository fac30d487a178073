#include "daemon/firewall/rule_tables.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/ruleset/ruleset.h"

namespace svnet {

TableList TablesNamed(const TableList& tables, const std::string& name) {
  TableList found;
  std::copy_if(tables.begin(), tables.end(), std::back_inserter(found),
               [&](const NftTableInfo& table) { return table.name == name; });
  return found;
}

TableList TablesNotNamed(const TableList& tables, const std::string& name) {
  TableList found;
  std::copy_if(tables.begin(), tables.end(), std::back_inserter(found),
               [&](const NftTableInfo& table) { return table.name != name; });
  return found;
}

std::string NameInForce(const TableList& tables, const std::string& otherwise) {
  const auto found = std::max_element(
      tables.begin(), tables.end(), [](const NftTableInfo& a, const NftTableInfo& b) {
        return std::pair(a.use > 0, a.handle) < std::pair(b.use > 0, b.handle);
      });
  return found == tables.end() ? otherwise : found->name;
}

// Others may have deleted a table without flags by now: to add it first makes "delete" right.
std::string RenderDeletion(const TableList& tables) {
  std::string commands;
  for (const NftTableInfo& table : tables) {
    const std::string named = absl::StrCat(" table ", table.Words(), "\n");
    absl::StrAppend(&commands, table.flags == 0 ? absl::StrCat("add", named) : "", "delete", named);
  }
  return commands;
}

// To add a table before it is deleted makes "delete" right whether or not it was there.
std::string RenderEmptyTables(const std::string& name) {
  std::string commands;
  for (const std::string& family : TableFamilies()) {
    const std::string table = absl::StrCat(" table ", family, " ", name);
    absl::StrAppend(&commands, "add", table, "\ndelete", table, "\nadd", table, " { comment \"",
                    kTableComment, "\"; }\n");
  }
  return commands;
}

}  // namespace svnet
