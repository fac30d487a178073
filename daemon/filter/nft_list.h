// What nftables prints in JSON (libnftables-json(5)). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/filter/rules.h"

namespace svnet {

// Reads what `nft -j list ruleset` or `nft -j list table` prints. InvalidArgument if it
// is no such text.
absl::StatusOr<std::vector<FilterChain>> ParseRuleset(const std::string& json);

struct NftTable {
  std::string family;
  std::string name;
};
// The same of `nft -j list tables`.
absl::StatusOr<std::vector<NftTable>> ParseTables(const std::string& json);

// The packets of what `nft -j list counter` prints. NotFound if there is no counter in it.
absl::StatusOr<int64_t> ParseCounter(const std::string& json);

}  // namespace svnet
