// The tables that a bridge's rules may be in (TableNames), and the commands that remove them and
// make them anew. All pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/netlink/nft_tables.h"

namespace svnet {

using TableList = std::vector<NftTableInfo>;

// Those of that name, and those of all others.
TableList TablesNamed(const TableList& tables, const std::string& name);
TableList TablesNotNamed(const TableList& tables, const std::string& name);

// The name of the tables that have rules; `otherwise` if there are no tables. An svnetd that was
// killed may have left others: newer ones that have nothing in them yet, or older ones.
std::string NameInForce(const TableList& tables, const std::string& otherwise);

std::string RenderDeletion(const TableList& tables);
// Makes empty tables, whether or not there were some.
std::string RenderEmptyTables(const std::string& name);

}  // namespace svnet
