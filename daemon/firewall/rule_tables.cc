#include "daemon/firewall/rule_tables.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

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
  std::map<std::string, uint32_t> uses;
  for (const NftTableInfo& table : tables) uses[table.name] += table.use;
  const auto most = std::max_element(
      uses.begin(), uses.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == uses.end() ? otherwise : most->first;
}

std::string RenderDeletion(const TableList& tables) {
  std::string commands;
  for (const NftTableInfo& table : tables) {
    absl::StrAppend(&commands, "delete table ", table.Words(), "\n");
  }
  return commands;
}

std::string RenderFlush(const TableList& tables) {
  std::string commands;
  for (const NftTableInfo& table : tables) {
    absl::StrAppend(&commands, "flush table ", table.Words(), "\n");
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
