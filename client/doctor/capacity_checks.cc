// Whether tables and pools are nearly full.
#include <net/if_arp.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

// The share from which on a table counts as nearly full.
constexpr double kNearlyFull = 0.9;

constexpr char kConntrack[] = "/proc/sys/net/netfilter/nf_conntrack_";
constexpr char kNeighbourLimit[] = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";
constexpr char kBacklogLimit[] = "/proc/sys/net/core/netdev_max_backlog";

// As long a backlog as takes up any burst: what drops packets beyond is a processor that is too
// slow. The kernel's default is 1,000.
constexpr int64_t kLongBacklog = 10000;  // packets

bool IsNearlyFull(int64_t used, int64_t total) {
  return total > 0 && static_cast<double>(used) >= kNearlyFull * static_cast<double>(total);
}

std::string Used(int64_t used, int64_t total, const std::string& what) {
  return absl::StrCat(used, " of ", total, " ", what);
}

// The command that removes a lease that no VMM uses now and that does not end by itself.
std::string RemoveOneUnattached(const Observed& observed) {
  for (const v1::Tap& tap : observed.svnetd.taps) {
    if (!IsOnSubject(observed, tap)) continue;
    if (!tap.attached() && !tap.lifetime().has_process())
      return absl::StrCat("svnetctl remove --tap ", tap.tap_name());
  }
  return "";
}

Findings Judge(const Observed& observed, int64_t used, int64_t total, const std::string& what) {
  const std::string message = Used(used, total, what);
  if (used >= total) return Problem(message, RemoveOneUnattached(observed));
  if (IsNearlyFull(used, total)) return Warning(message, RemoveOneUnattached(observed));
  return Ok(message);
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

// The column's number, written in hexadecimal; 0 if there is none.
uint32_t HexIn(const std::string& line, size_t column) {
  const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  uint32_t number = 0;
  return column < words.size() && absl::SimpleHexAtoi(words[column], &number) ? number : 0;
}

// The entries of /proc/net/arp that its limit is about: permanent ones, as svnetd's for guests are,
// do not count (neighbour.c: neigh_alloc).
int64_t CountLimitedNeighbours(const std::string& arp) {
  const std::vector<std::string> lines = Lines(arp);
  int64_t entries = 0;
  for (size_t i = 1; i < lines.size(); ++i) {  // the first is a heading
    if ((HexIn(lines[i], 2) & ATF_PERM) == 0) ++entries;
  }
  return entries;
}

}  // namespace

Findings CheckAddresses(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  const auto& addresses = observed.subject.addresses();
  return Judge(observed, addresses.used(), addresses.total(), "addresses are leased");
}

Findings CheckPorts(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  if (observed.IsRouted()) return Ok("TAPs of a routed network take no port of its bridge");
  const auto& ports = observed.subject.ports();
  return Judge(observed, ports.used(), ports.limit(), "ports of the bridge are used");
}

// The kernel's limit is for all network namespaces together, so there may be more entries than
// this.
Findings CheckNeighbours(const Observed& observed) {
  const absl::StatusOr<int64_t> limit = ReadNumber(observed.host, kNeighbourLimit);
  const absl::StatusOr<std::string> table = observed.host.ReadFile("/proc/net/arp");
  if (!limit.ok() || !table.ok()) return NotChecked("this network namespace does not show it");
  const int64_t entries = CountLimitedNeighbours(*table);
  const std::string message = Used(entries, *limit, "neighbour entries are used");
  if (!IsNearlyFull(entries, *limit)) return Ok(message);
  return Warning(absl::StrCat(message,
                              ": when the table is full, neither the host nor guests reach a "
                              "machine of the host's networks that is not in it"),
                 absl::StrCat("sysctl -w net.ipv4.neigh.default.gc_thresh3=", 4 * *limit,
                              " net.ipv4.neigh.default.gc_thresh2=", 2 * *limit));
}

// Since boot, and of all network namespaces together.
Findings CheckBacklog(const Observed& observed) {
  const absl::StatusOr<int64_t> limit = ReadNumber(observed.host, kBacklogLimit);
  const absl::StatusOr<std::string> processors = observed.host.ReadFile("/proc/net/softnet_stat");
  if (!limit.ok() || !processors.ok()) return NotChecked("this network namespace does not show it");
  int64_t dropped = 0;
  for (const std::string& processor : Lines(*processors)) dropped += HexIn(processor, 1);
  if (dropped == 0) return Ok("no processor's backlog of packets was ever full");
  if (*limit >= kLongBacklog) {
    return Ok(absl::StrCat(dropped, " packets were dropped since boot, but ", *limit,
                           " may wait for a processor now"));
  }
  return Warning(absl::StrCat(dropped, " packets were dropped since boot because ", *limit,
                              " waited for a processor already: guests lose packets that come in "
                              "bursts"),
                 absl::StrCat("sysctl -w net.core.netdev_max_backlog=", kLongBacklog));
}

Findings CheckConntrack(const Observed& observed) {
  const auto used = ReadNumber(observed.host, absl::StrCat(kConntrack, "count"));
  const auto limit = ReadNumber(observed.host, absl::StrCat(kConntrack, "max"));
  if (!used.ok() || !limit.ok()) return NotChecked("the kernel tracks no connections yet");
  const std::string message = Used(*used, *limit, "connections are tracked");
  if (!IsNearlyFull(*used, *limit)) return Ok(message);
  return Warning(absl::StrCat(message, ": when the table is full, new connections are dropped"),
                 absl::StrCat("sysctl -w net.netfilter.nf_conntrack_max=", 2 * *limit));
}

}  // namespace svnet::client
