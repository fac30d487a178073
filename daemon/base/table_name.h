// What svnetd's nftables tables are called.
#pragma once

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/base/link_name.h"

namespace svnet {

inline constexpr absl::string_view kTablePrefix = "svnet-";

// `svnet-<bridge>`, in each of the families. It is also the comment of svnetd's rules in other
// programs' chains.
inline std::string TableName(absl::string_view bridge) {
  return absl::StrCat(kTablePrefix, bridge);
}
inline std::string TableName(const LinkName& bridge) { return TableName(bridge.text()); }

// Whether it is a table of this svnetd or of another one.
inline bool IsSvnetTable(absl::string_view table) { return absl::StartsWith(table, kTablePrefix); }

}  // namespace svnet
