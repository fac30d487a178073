// What svnetd's nftables tables are called. svnetd, the doctor and those that read other
// programs' rules all recognise them by this.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/base/link_name.h"

namespace svnet {

// `svnet-BRIDGE`, in each of the families: the tables of a kernel without persistent ones
// (before 6.9), and of earlier versions of svnetd. It is also the comment of svnetd's rules in
// other programs' chains.
std::string TableName(absl::string_view bridge);
std::string TableName(const LinkName& bridge);

// All names that the tables of a bridge may have. On a kernel with persistent tables, they are
// replaced by those of the other generation: `svnet-BRIDGE/a`, `svnet-BRIDGE/b`. No link's name
// has a slash, so that they are no other bridge's.
std::vector<std::string> TableNames(absl::string_view bridge);

// Whether a table of that name belongs to the bridge.
bool IsTableOf(absl::string_view table, absl::string_view bridge);

// Whether it is a table of this svnetd or of another one.
bool IsSvnetTable(absl::string_view table);

}  // namespace svnet
