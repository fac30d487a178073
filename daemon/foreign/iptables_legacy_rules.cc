#include "daemon/foreign/iptables_legacy_rules.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

using Verdict = FilterRule::Verdict;

// The lock of iptables-legacy(8), which creates the file when it is first used.
constexpr char kLock[] = "/run/xtables.lock";
// Most commands hold the lock for a few milliseconds.
constexpr int kLockTimeoutMs = 100;
constexpr useconds_t kPauseUs = 2000;

absl::Status Errno(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) {
    return absl::UnavailableError("iptables-legacy: another program is changing the rules");
  }
  return absl::ErrnoToStatus(error, "iptables-legacy");
}

// The layout of an entry that svnetd writes: the heading, a comment, the verdict.
constexpr size_t kMatchSize = XT_ALIGN(sizeof(xt_entry_match) + sizeof(xt_comment_info));
constexpr size_t kTargetOffset = sizeof(ipt_entry) + kMatchSize;
constexpr size_t kEntrySize = kTargetOffset + XT_ALIGN(sizeof(xt_standard_target));

// As iptables does: the mask also covers the NUL, or all but the +, which stays in the name.
void SetInterface(const std::string& name, char* out, unsigned char* mask) {
  if (name.empty()) return;
  std::memcpy(out, name.data(), std::min<size_t>(name.size(), IFNAMSIZ - 1));
  const size_t covered = absl::EndsWith(name, "+") ? name.size() - 1 : name.size() + 1;
  std::memset(mask, 0xff, std::min<size_t>(covered, IFNAMSIZ));
}

void SetAddress(const std::optional<Ipv4Prefix>& prefix, in_addr& address, in_addr& mask) {
  if (!prefix.has_value()) return;
  address.s_addr = htobe32(prefix->network().value());
  mask.s_addr = htobe32(prefix->netmask().value());
}

std::vector<char> BytesOf(const FilterRule& rule, const std::string& comment) {
  std::vector<char> bytes(kEntrySize);
  auto* entry = reinterpret_cast<ipt_entry*>(bytes.data());
  SetInterface(rule.from, entry->ip.iniface, entry->ip.iniface_mask);
  SetInterface(rule.to, entry->ip.outiface, entry->ip.outiface_mask);
  SetAddress(rule.source, entry->ip.src, entry->ip.smsk);
  SetAddress(rule.destination, entry->ip.dst, entry->ip.dmsk);
  entry->target_offset = kTargetOffset;
  entry->next_offset = kEntrySize;
  auto* match = reinterpret_cast<xt_entry_match*>(bytes.data() + sizeof(ipt_entry));
  match->u.match_size = kMatchSize;
  std::strcpy(match->u.user.name, "comment");
  std::memcpy(match->data, comment.data(),
              std::min<size_t>(comment.size(), XT_MAX_COMMENT_LEN - 1));
  auto* target = reinterpret_cast<xt_standard_target*>(bytes.data() + kTargetOffset);
  target->target.u.target_size = XT_ALIGN(sizeof(xt_standard_target));
  target->verdict = rule.verdict == Verdict::kReturn ? XT_RETURN : -NF_ACCEPT - 1;
  return bytes;
}

// Builds a new table, entry by entry.
class Writer {
 public:
  void Append(size_t old_offset, const ipt_entry& entry) {
    Skip(old_offset);
    moved_.back() = count_++;
    const char* bytes = reinterpret_cast<const char*>(&entry);
    bytes_.insert(bytes_.end(), bytes, bytes + entry.next_offset);
  }
  // Drops the old entry; jumps to it now lead to the next one.
  void Skip(size_t old_offset) {
    places_.emplace(old_offset, bytes_.size());
    moved_.push_back(-1);
  }
  // Inserts before the old entry; jumps to that now lead to the inserted one.
  void InsertBefore(size_t old_offset, const std::vector<char>& bytes) {
    places_.emplace(old_offset, bytes_.size());
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    ++count_;
  }

  RewrittenTable Finish(const ipt_getinfo& info) && {
    RewrittenTable rewritten = {.table = {.info = info, .entries = std::move(bytes_)},
                                .moved = std::move(moved_)};
    ipt_getinfo& now = rewritten.table.info;
    now.size = static_cast<unsigned>(rewritten.table.entries.size());
    now.num_entries = count_;
    for (int hook = 0; hook < NF_INET_NUMHOOKS; ++hook) {
      if ((info.valid_hooks & (1U << hook)) == 0) continue;
      now.hook_entry[hook] = Place(info.hook_entry[hook]);
      now.underflow[hook] = Place(info.underflow[hook]);
    }
    ForEachEntry(rewritten.table, [&](size_t offset, const ipt_entry& entry) {
      Correct(&rewritten.table.entries[offset], entry.target_offset);
    });
    return rewritten;
  }

 private:
  uint32_t Place(uint32_t old_offset) const {
    const auto place = places_.find(old_offset);
    return place == places_.end() ? old_offset : static_cast<uint32_t>(place->second);
  }
  // Corrects the entry's jump, and clears its counters, which the kernel would start with.
  void Correct(char* entry, size_t target_offset) const {
    reinterpret_cast<ipt_entry*>(entry)->counters = {};
    auto* target = reinterpret_cast<xt_standard_target*>(entry + target_offset);
    const bool jumps = target->target.u.user.name[0] == '\0' && target->verdict >= 0;
    if (jumps) target->verdict = static_cast<int>(Place(static_cast<uint32_t>(target->verdict)));
  }

  std::vector<char> bytes_;
  std::map<size_t, size_t> places_;
  std::vector<int> moved_;
  int count_ = 0;
};

absl::StatusOr<UniqueFd> TakeLock() {
  UniqueFd lock(open(kLock, O_RDONLY | O_CLOEXEC));
  if (!lock.valid() && errno == ENOENT) return lock;  // iptables-legacy has never been used
  if (!lock.valid()) return Errno(errno);
  for (int left = kLockTimeoutMs * 1000 / kPauseUs; flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
       --left) {
    if (errno != EWOULDBLOCK || left == 0) return Errno(errno);
    usleep(kPauseUs);
  }
  return lock;
}

// Adds the old entries' counters, which IPT_SO_SET_REPLACE returned, to the entries at their new
// places.
absl::Status AddCounts(const UniqueFd& socket, const std::vector<xt_counters>& old,
                       const RewrittenTable& rewritten) {
  const size_t count = rewritten.table.info.num_entries;
  std::vector<char> block(sizeof(xt_counters_info) + count * sizeof(xt_counters));
  auto* request = reinterpret_cast<xt_counters_info*>(block.data());
  std::strcpy(request->name, kIptablesLegacyTable);
  request->num_counters = static_cast<unsigned>(count);
  for (size_t i = 0; i < rewritten.moved.size(); ++i) {
    if (rewritten.moved[i] >= 0) request->counters[rewritten.moved[i]] = old[i];
  }
  const auto size = static_cast<socklen_t>(block.size());
  if (setsockopt(socket.get(), IPPROTO_IP, IPT_SO_SET_ADD_COUNTERS, block.data(), size) == 0) {
    return absl::OkStatus();
  }
  return Errno(errno);
}

absl::Status Write(const UniqueFd& socket, const RewrittenTable& rewritten) {
  const ipt_getinfo& info = rewritten.table.info;
  std::vector<xt_counters> old(rewritten.moved.size());
  std::vector<char> block(sizeof(ipt_replace) + rewritten.table.entries.size());
  auto* request = reinterpret_cast<ipt_replace*>(block.data());
  std::strcpy(request->name, kIptablesLegacyTable);
  request->valid_hooks = info.valid_hooks;
  request->num_entries = info.num_entries;
  request->size = info.size;
  std::copy(std::begin(info.hook_entry), std::end(info.hook_entry), request->hook_entry);
  std::copy(std::begin(info.underflow), std::end(info.underflow), request->underflow);
  request->num_counters = static_cast<unsigned>(old.size());
  request->counters = old.data();
  std::copy(rewritten.table.entries.begin(), rewritten.table.entries.end(),
            block.begin() + sizeof(ipt_replace));
  const auto size = static_cast<socklen_t>(block.size());
  if (setsockopt(socket.get(), IPPROTO_IP, IPT_SO_SET_REPLACE, block.data(), size) != 0) {
    return Errno(errno);
  }
  return AddCounts(socket, old, rewritten);
}

}  // namespace

absl::StatusOr<RewrittenTable> RewriteIptablesLegacyTable(const IptablesLegacyTable& table,
                                                          const std::string& chain,
                                                          const std::string& comment,
                                                          const std::vector<FilterRule>& rules) {
  Writer writer;
  bool is_in_it = false;
  bool written = false;
  ForEachEntry(table, [&](size_t offset, const ipt_entry& entry) {
    if (const std::string heading = HeadingOf(entry); !heading.empty()) {
      is_in_it = heading == chain;
      return writer.Append(offset, entry);
    }
    const FilterRule rule = RuleOf(entry);
    if (is_in_it && rule.comment == comment) return writer.Skip(offset);
    // Every user-defined chain ends with one.
    const bool returns = rule.verdict == Verdict::kReturn && rule.IsUnconditional();
    if (is_in_it && !written && returns) {
      for (const FilterRule& ours : rules) writer.InsertBefore(offset, BytesOf(ours, comment));
      written = true;
    }
    writer.Append(offset, entry);
  });
  if (!written) return absl::NotFoundError(absl::StrCat("iptables-legacy: no chain ", chain));
  return std::move(writer).Finish(table.info);
}

absl::Status ReplaceIptablesLegacyRules(const std::string& chain, const std::string& comment,
                                        const std::vector<FilterRule>& rules) {
  SVNET_ASSIGN_OR_RETURN(const UniqueFd lock, TakeLock());
  SVNET_ASSIGN_OR_RETURN(const IptablesLegacyTable table, ReadIptablesLegacyTable());
  SVNET_ASSIGN_OR_RETURN(const RewrittenTable rewritten,
                         RewriteIptablesLegacyTable(table, chain, comment, rules));
  SVNET_ASSIGN_OR_RETURN(const UniqueFd socket, OpenIptablesLegacySocket());
  return Write(socket, rewritten);
}

}  // namespace svnet
