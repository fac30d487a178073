// Reads the filter table of iptables-legacy, which nftables does not list.
#pragma once

#include <linux/netfilter_ipv4/ip_tables.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/foreign/filter_chain.h"

namespace svnet {

inline constexpr char kIptablesLegacyTable[] = "filter";

// The table as the kernel gives it: one block of entries, each an ipt_entry, its matches
// and its target. A jump is the offset of the entry that follows the heading of a chain
// (include/uapi/linux/netfilter_ipv4/ip_tables.h).
struct IptablesLegacyTable {
  ipt_getinfo info = {};
  std::vector<char> entries;  // empty: there is no such table
};

// A socket for the kernel's iptables options, in the network namespace of the calling thread.
// Nothing is sent through it, so a datagram socket will do, which needs no CAP_NET_RAW.
absl::StatusOr<UniqueFd> OpenIptablesLegacySocket();

// Unimplemented if this process may not open AF_INET sockets; PermissionDenied without root and
// CAP_NET_ADMIN. Asking for a table that does not exist would create it, so this looks first, and
// does not open a socket then.
absl::StatusOr<IptablesLegacyTable> ReadIptablesLegacyTable();

// Calls `take` for each entry, in order.
void ForEachEntry(const IptablesLegacyTable& table,
                  const std::function<void(size_t offset, const ipt_entry& entry)>& take);

// The name of the chain that this entry is the heading of; empty: it is not a heading.
std::string HeadingOf(const ipt_entry& entry);

// Parses an entry as a rule; the target of a jump is an offset.
FilterRule RuleOf(const ipt_entry& entry);

// The chains of the table, with the family kIptablesLegacyFamily; none if the table does not exist.
std::vector<FilterChain> ChainsOf(const IptablesLegacyTable& table);

// Reads the table and returns its chains.
absl::StatusOr<std::vector<FilterChain>> ReadIptablesLegacyFilter();

}  // namespace svnet
