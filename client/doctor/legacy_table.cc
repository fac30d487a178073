#include "client/doctor/legacy_table.h"

#include <arpa/inet.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"

// A table is one block of entries, each an ipt_entry, its matches and its target; a
// jump is the offset of the entry that follows the heading of a chain
// (include/uapi/linux/netfilter_ipv4/ip_tables.h).

namespace svnet::client {
namespace {

using Verdict = FilterRule::Verdict;

constexpr char kTable[] = "filter";
constexpr char kHeading[] = "ERROR";  // the target that stands before a chain of a user's

struct Table {
  ipt_getinfo info = {};
  std::vector<char> entries;
};

absl::StatusOr<Table> ReadTable() {
  const UniqueFd fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "iptables-legacy");
  Table table;
  std::strncpy(table.info.name, kTable, sizeof(table.info.name) - 1);
  socklen_t size = sizeof(table.info);
  if (getsockopt(fd.get(), IPPROTO_IP, IPT_SO_GET_INFO, &table.info, &size) != 0) {
    return absl::ErrnoToStatus(errno, "iptables-legacy");
  }
  std::vector<char> block(sizeof(ipt_get_entries) + table.info.size);
  auto* request = reinterpret_cast<ipt_get_entries*>(block.data());
  std::strncpy(request->name, kTable, sizeof(request->name) - 1);
  request->size = table.info.size;
  size = static_cast<socklen_t>(block.size());
  if (getsockopt(fd.get(), IPPROTO_IP, IPT_SO_GET_ENTRIES, block.data(), &size) != 0) {
    return absl::ErrnoToStatus(errno, "iptables-legacy");
  }
  table.entries.assign(block.begin() + sizeof(ipt_get_entries), block.end());
  return table;
}

std::string PatternOf(const char* name, const unsigned char* mask) {
  std::string pattern(name, strnlen(name, IFNAMSIZ));
  // The mask of a whole name covers its NUL, too.
  const bool whole = pattern.size() >= IFNAMSIZ || mask[pattern.size()] != 0;
  return pattern.empty() || whole ? pattern : pattern + "+";
}

// -m conntrack and all else that is a match.
bool HasMatches(const ipt_entry& entry) { return entry.target_offset > sizeof(ipt_entry); }

void SetVerdict(const char* target, FilterRule& rule) {
  const auto* head = reinterpret_cast<const xt_entry_target*>(target);
  const std::string name(head->u.user.name, strnlen(head->u.user.name, XT_EXTENSION_MAXNAMELEN));
  if (name == "REJECT") rule.verdict = Verdict::kDrop;
  if (!name.empty()) return;
  const int verdict = reinterpret_cast<const xt_standard_target*>(target)->verdict;
  if (verdict == XT_RETURN) {
    rule.verdict = Verdict::kReturn;
  } else if (verdict < 0) {
    rule.verdict = -verdict - 1 == NF_ACCEPT ? Verdict::kAccept : Verdict::kDrop;
  } else {
    rule.verdict = Verdict::kJump;
    rule.target = std::to_string(verdict);
  }
}

FilterRule RuleOf(const char* bytes) {
  const auto& entry = *reinterpret_cast<const ipt_entry*>(bytes);
  const ipt_ip& ip = entry.ip;
  FilterRule rule = {
      .from = PatternOf(ip.iniface, ip.iniface_mask),
      .to = PatternOf(ip.outiface, ip.outiface_mask),
      .not_from = (ip.invflags & IPT_INV_VIA_IN) != 0,
      .not_to = (ip.invflags & IPT_INV_VIA_OUT) != 0,
      .opaque = ip.smsk.s_addr != 0 || ip.dmsk.s_addr != 0 || ip.proto != 0 || HasMatches(entry),
      .target = ""};
  SetVerdict(bytes + entry.target_offset, rule);
  return rule;
}

bool IsHeading(const char* bytes) {
  const auto& entry = *reinterpret_cast<const ipt_entry*>(bytes);
  const auto* target = reinterpret_cast<const xt_entry_target*>(bytes + entry.target_offset);
  return std::strncmp(target->u.user.name, kHeading, sizeof(kHeading)) == 0;
}

FilterChain NewChain(const std::string& name, const std::string& hook) {
  return {.family = "legacy", .table = kTable, .name = name, .hook = hook, .rules = {}};
}

// A chain's last entry is its policy.
void TakePolicy(FilterChain& forward) {
  if (forward.rules.empty()) return;
  forward.drops_by_default = forward.rules.back().verdict == Verdict::kDrop;
  forward.rules.pop_back();
}

}  // namespace

absl::StatusOr<std::vector<FilterChain>> ReadLegacyFilter() {
  SVNET_ASSIGN_OR_RETURN(const Table table, ReadTable());
  std::map<uint32_t, std::string> hooks = {{table.info.hook_entry[NF_INET_LOCAL_IN], "input"},
                                           {table.info.hook_entry[NF_INET_FORWARD], "forward"},
                                           {table.info.hook_entry[NF_INET_LOCAL_OUT], "output"}};
  std::vector<FilterChain> chains;
  for (uint32_t offset = 0; offset + sizeof(ipt_entry) <= table.entries.size();) {
    const char* bytes = table.entries.data() + offset;
    const uint32_t size = reinterpret_cast<const ipt_entry*>(bytes)->next_offset;
    if (size == 0) break;
    if (IsHeading(bytes)) {
      chains.push_back(NewChain(std::to_string(offset + size), ""));
    } else {
      if (hooks.count(offset) > 0) {
        const std::string& hook = hooks[offset];
        chains.push_back(NewChain(hook == "forward" ? "FORWARD" : hook, hook));
      }
      if (!chains.empty()) chains.back().rules.push_back(RuleOf(bytes));
    }
    offset += size;
  }
  for (FilterChain& chain : chains) {
    if (!chain.hook.empty()) TakePolicy(chain);
  }
  return chains;
}

}  // namespace svnet::client
