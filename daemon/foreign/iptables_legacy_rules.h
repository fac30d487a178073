// Adds svnetd's rules to a chain of iptables-legacy.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/foreign/filter_chain.h"
#include "daemon/foreign/iptables_legacy_table.h"

namespace svnet {

// Replaces the rules with that comment in the chain of that name by `rules`. They come before the
// first unconditional return. `moved`: the new index of each old entry, -1 if it is gone. NotFound:
// there is no such chain. Pure.
struct RewrittenTable {
  IptablesLegacyTable table;
  std::vector<int> moved;
};
absl::StatusOr<RewrittenTable> RewriteIptablesLegacyTable(const IptablesLegacyTable& table,
                                                          const std::string& chain,
                                                          const std::string& comment,
                                                          const std::vector<FilterRule>& rules);

// Does that in the kernel, holding iptables-legacy's lock; the packet counters are kept.
// Unavailable while another program has the lock or has changed the table.
absl::Status ReplaceIptablesLegacyRules(const std::string& chain, const std::string& comment,
                                        const std::vector<FilterRule>& rules);

}  // namespace svnet
