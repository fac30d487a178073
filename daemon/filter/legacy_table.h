// The filter table of iptables-legacy, which nftables does not list.
#pragma once

#include <linux/netfilter_ipv4/ip_tables.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/filter/rules.h"

namespace svnet {

inline constexpr char kLegacyTable[] = "filter";

// The table as the kernel gives it: one block of entries, each an ipt_entry, its matches
// and its target. A jump is the offset of the entry that follows the heading of a chain
// (include/uapi/linux/netfilter_ipv4/ip_tables.h).
struct LegacyTable {
  ipt_getinfo info = {};
  std::vector<char> entries;  // none: there is no such table
};

// A socket for these settings of the kernel's; nothing is ever sent by it, so that any of
// the family does, and none takes CAP_NET_RAW. Of the network namespace that the thread is
// in.
absl::StatusOr<UniqueFd> OpenLegacySocket();

// Unimplemented if this process may have no socket of AF_INET; PermissionDenied without root
// and CAP_NET_ADMIN. To ask for a table that is not there
// would make it: so it looks first, and then opens not even a socket.
absl::StatusOr<LegacyTable> ReadLegacyTable();

// Calls `take` for each entry, in their order.
void ForEachEntry(const LegacyTable& table,
                  const std::function<void(size_t offset, const ipt_entry& entry)>& take);

// The name of the chain whose heading the entry is; empty: it is none.
std::string HeadingOf(const ipt_entry& entry);

// The rule that an entry is; the target of a jump is its offset.
FilterRule RuleOf(const ipt_entry& entry);

// Its chains, as ones of the family "legacy"; none without such a table.
std::vector<FilterChain> ChainsOf(const LegacyTable& table);

// The same, read now.
absl::StatusOr<std::vector<FilterChain>> ReadLegacyFilter();

}  // namespace svnet
