// Parses nftables' JSON output (libnftables-json(5)). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/foreign/filter_chain.h"

namespace svnet {

// Parses the output of `nft -j list ruleset` or `nft -j list table`. InvalidArgument if it is not
// JSON.
absl::StatusOr<std::vector<FilterChain>> ParseRuleset(const std::string& json);

struct NftTable {
  std::string family;
  std::string name;
};
// Parses the output of `nft -j list tables`.
absl::StatusOr<std::vector<NftTable>> ParseTables(const std::string& json);

// The packet count in the output of `nft -j list counter`. NotFound if it has no counter.
absl::StatusOr<int64_t> ParseCounter(const std::string& json);

}  // namespace svnet
