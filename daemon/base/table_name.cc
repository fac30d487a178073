#include "daemon/base/table_name.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

constexpr absl::string_view kPrefix = "svnet-";

}  // namespace

std::string TableName(absl::string_view bridge) { return absl::StrCat(kPrefix, bridge); }
std::string TableName(const LinkName& bridge) { return TableName(bridge.text()); }

std::vector<std::string> TableNames(absl::string_view bridge) {
  const std::string name = TableName(bridge);
  return {name, name + "/a", name + "/b"};
}

bool IsTableOf(absl::string_view table, absl::string_view bridge) {
  const std::vector<std::string> names = TableNames(bridge);
  return std::find(names.begin(), names.end(), table) != names.end();
}

bool IsSvnetTable(absl::string_view table) { return absl::StartsWith(table, kPrefix); }

}  // namespace svnet
