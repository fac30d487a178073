#include "daemon/foreign/iptables_legacy_table.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/netfilter/xt_comment.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

using Verdict = FilterRule::Verdict;

constexpr char kHeading[] = "ERROR";  // the target of the entry before a user-defined chain
constexpr char kTables[] = "/proc/thread-self/net/ip_tables_names";

absl::Status Errno() { return absl::ErrnoToStatus(errno, "iptables-legacy"); }

absl::StatusOr<bool> IsThere() {
  const UniqueFd file(open(kTables, O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return false;  // the kernel has not even the code
  if (!file.valid()) return Errno();
  char names[256] = "\n";  // a few short lines
  const ssize_t size = read(file.get(), names + 1, sizeof(names) - 1);
  if (size < 0) return Errno();
  return absl::StrContains(absl::string_view(names, 1 + size), "\nfilter\n");
}

// An interface of an entry. The mask covers the bytes to compare: of a whole name its NUL, too, of
// `docker+` not the +, which iptables leaves in the name.
struct Interface {
  std::string pattern;
  bool lacks_plus = false;
};

Interface InterfaceOf(const char* field, const unsigned char* mask) {
  const std::string name(field, strnlen(field, IFNAMSIZ));
  const size_t covered = std::find(mask, mask + IFNAMSIZ, 0) - mask;
  if (covered == 0) return {};
  if (covered > name.size() || covered == IFNAMSIZ) return {.pattern = name};
  return {.pattern = name.substr(0, covered) + "+", .lacks_plus = covered == name.size()};
}

// iptables also takes masks like 255.0.255.0.
bool IsOfPrefix(in_addr mask) {
  const uint32_t host_bits = ~be32toh(mask.s_addr);
  return (host_bits & (host_bits + 1)) == 0;
}

// nullopt: any address, or another mask.
std::optional<Ipv4Prefix> PrefixOf(in_addr address, in_addr mask) {
  if (mask.s_addr == 0 || !IsOfPrefix(mask)) return std::nullopt;
  return Ipv4Prefix::Containing(Ipv4Address(be32toh(address.s_addr)), std::popcount(mask.s_addr));
}

std::string NameOf(const xt_entry_target& target) {
  return std::string(target.u.user.name, strnlen(target.u.user.name, XT_EXTENSION_MAXNAMELEN));
}

const xt_entry_target& TargetOf(const ipt_entry& entry) {
  return *reinterpret_cast<const xt_entry_target*>(reinterpret_cast<const char*>(&entry) +
                                                   entry.target_offset);
}

// Every match but a comment is a condition that is not understood.
void AddMatches(const ipt_entry& entry, FilterRule& rule) {
  const char* bytes = reinterpret_cast<const char*>(&entry);
  for (size_t offset = sizeof(ipt_entry); offset < entry.target_offset;) {
    const auto& match = *reinterpret_cast<const xt_entry_match*>(bytes + offset);
    if (std::strcmp(match.u.user.name, "comment") == 0) {
      const auto& info = *reinterpret_cast<const xt_comment_info*>(match.data);
      rule.comment.assign(info.comment, strnlen(info.comment, XT_MAX_COMMENT_LEN));
    } else {
      rule.opaque = true;
    }
    if (match.u.match_size == 0) return;
    offset += match.u.match_size;
  }
}

void SetVerdict(const xt_entry_target& target, FilterRule& rule) {
  const std::string name = NameOf(target);
  if (name == "REJECT") rule.verdict = Verdict::kDrop;
  if (!name.empty()) return;
  const int verdict = reinterpret_cast<const xt_standard_target&>(target).verdict;
  if (verdict == XT_RETURN) {
    rule.verdict = Verdict::kReturn;
  } else if (verdict < 0) {
    rule.verdict = -verdict - 1 == NF_ACCEPT ? Verdict::kAccept : Verdict::kDrop;
  } else {
    rule.verdict = Verdict::kJump;
    rule.target = std::to_string(verdict);
  }
}

FilterChain NewChain(const std::string& name, const std::string& hook) {
  return {.family = kIptablesLegacyFamily,
          .table = kIptablesLegacyTable,
          .name = name,
          .hook = hook,
          .rules = {}};
}

// The last entry of a chain is its policy, or the return from it.
void TakePolicy(FilterChain& chain) {
  if (chain.rules.empty()) return;
  chain.drops_by_default = chain.rules.back().verdict == Verdict::kDrop;
  chain.rules.pop_back();
}

}  // namespace

absl::StatusOr<UniqueFd> OpenIptablesLegacySocket() {
  UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() && errno == EAFNOSUPPORT) {
    return absl::UnimplementedError("iptables-legacy: this sandbox forbids AF_INET sockets");
  }
  if (!fd.valid()) return Errno();
  return fd;
}

absl::StatusOr<IptablesLegacyTable> ReadIptablesLegacyTable() {
  IptablesLegacyTable table;
  SVNET_ASSIGN_OR_RETURN(const bool is_there, IsThere());
  if (!is_there) return table;
  SVNET_ASSIGN_OR_RETURN(const UniqueFd socket, OpenIptablesLegacySocket());
  std::strncpy(table.info.name, kIptablesLegacyTable, sizeof(table.info.name) - 1);
  socklen_t size = sizeof(table.info);
  if (getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_INFO, &table.info, &size) != 0) {
    return Errno();
  }
  std::vector<char> block(sizeof(ipt_get_entries) + table.info.size);
  auto* request = reinterpret_cast<ipt_get_entries*>(block.data());
  std::strncpy(request->name, kIptablesLegacyTable, sizeof(request->name) - 1);
  request->size = table.info.size;
  size = static_cast<socklen_t>(block.size());
  if (getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_ENTRIES, block.data(), &size) != 0) {
    return Errno();
  }
  table.entries.assign(block.begin() + sizeof(ipt_get_entries), block.end());
  return table;
}

void ForEachEntry(const IptablesLegacyTable& table,
                  const std::function<void(size_t offset, const ipt_entry& entry)>& take) {
  for (size_t offset = 0; offset + sizeof(ipt_entry) <= table.entries.size();) {
    const auto& entry = *reinterpret_cast<const ipt_entry*>(table.entries.data() + offset);
    if (entry.next_offset == 0) return;
    take(offset, entry);
    offset += entry.next_offset;
  }
}

std::string HeadingOf(const ipt_entry& entry) {
  const xt_entry_target& target = TargetOf(entry);
  if (NameOf(target) != kHeading) return "";
  const char* name = reinterpret_cast<const xt_error_target&>(target).errorname;
  return std::string(name, strnlen(name, XT_FUNCTION_MAXNAMELEN));
}

FilterRule RuleOf(const ipt_entry& entry) {
  const ipt_ip& ip = entry.ip;
  const Interface from = InterfaceOf(ip.iniface, ip.iniface_mask);
  const Interface to = InterfaceOf(ip.outiface, ip.outiface_mask);
  // svnetd 0.1 wrote no +, and iptables 1.8.11 shows such a rule as one for the interface `docker`,
  // and cannot delete it. It counts as another rule than the one that is wanted.
  const bool lacks_plus = from.lacks_plus || to.lacks_plus;
  const bool other_mask = !IsOfPrefix(ip.smsk) || !IsOfPrefix(ip.dmsk);
  FilterRule rule = {.from = from.pattern,
                     .to = to.pattern,
                     .not_from = (ip.invflags & IPT_INV_VIA_IN) != 0,
                     .not_to = (ip.invflags & IPT_INV_VIA_OUT) != 0,
                     .source = PrefixOf(ip.src, ip.smsk),
                     .destination = PrefixOf(ip.dst, ip.dmsk),
                     .not_source = (ip.invflags & IPT_INV_SRCIP) != 0,
                     .not_destination = (ip.invflags & IPT_INV_DSTIP) != 0,
                     .opaque = lacks_plus || other_mask || ip.proto != 0,
                     .target = "",
                     .comment = ""};
  AddMatches(entry, rule);
  SetVerdict(TargetOf(entry), rule);
  return rule;
}

std::vector<FilterChain> ChainsOf(const IptablesLegacyTable& table) {
  const std::map<uint32_t, std::pair<const char*, const char*>> hooks = {
      {table.info.hook_entry[NF_INET_LOCAL_IN], {"INPUT", "input"}},
      {table.info.hook_entry[NF_INET_FORWARD], {"FORWARD", "forward"}},
      {table.info.hook_entry[NF_INET_LOCAL_OUT], {"OUTPUT", "output"}}};
  std::vector<FilterChain> chains;
  std::map<std::string, std::string> names;  // by the offset of the first entry
  ForEachEntry(table, [&](size_t offset, const ipt_entry& entry) {
    if (const std::string heading = HeadingOf(entry); !heading.empty()) {
      names[std::to_string(offset + entry.next_offset)] = heading;
      chains.push_back(NewChain(heading, ""));
      return;
    }
    if (const auto hook = hooks.find(static_cast<uint32_t>(offset)); hook != hooks.end()) {
      chains.push_back(NewChain(hook->second.first, hook->second.second));
    }
    if (!chains.empty()) chains.back().rules.push_back(RuleOf(entry));
  });
  for (FilterChain& chain : chains) {
    TakePolicy(chain);
    for (FilterRule& rule : chain.rules) {
      if (rule.verdict == Verdict::kJump) rule.target = names[rule.target];
    }
  }
  // The last heading ends the table and is not a chain.
  if (!chains.empty() && chains.back().name == kHeading) chains.pop_back();
  return chains;
}

absl::StatusOr<std::vector<FilterChain>> ReadIptablesLegacyFilter() {
  SVNET_ASSIGN_OR_RETURN(const IptablesLegacyTable table, ReadIptablesLegacyTable());
  return ChainsOf(table);
}

}  // namespace svnet
