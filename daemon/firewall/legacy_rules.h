// Our rules in a chain of iptables-legacy's.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/filter/legacy_table.h"
#include "daemon/filter/rules.h"

namespace svnet {

// `table` with `rules` in the chain of that name, with that comment, instead of those that
// have it. They stand before the first rule by which everything returns. `moved` is where
// each of the old entries is now, -1 for one that is gone. NotFound: there is no such
// chain. Pure.
struct RewrittenTable {
  LegacyTable table;
  std::vector<int> moved;
};
absl::StatusOr<RewrittenTable> RewriteLegacyTable(const LegacyTable& table,
                                                  const std::string& chain,
                                                  const std::string& comment,
                                                  const std::vector<FilterRule>& rules);

// Does so in the kernel, with the lock that iptables-legacy takes; packets counted stay
// counted. Unavailable while somebody else has the lock, or was faster.
absl::Status ReplaceLegacyRules(const std::string& chain, const std::string& comment,
                                const std::vector<FilterRule>& rules);

}  // namespace svnet
