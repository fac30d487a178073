// Whether tables and pools are nearly full.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

// The share from which on a table counts as nearly full.
constexpr double kNearlyFull = 0.9;

constexpr char kConntrack[] = "/proc/sys/net/netfilter/nf_conntrack_";
constexpr char kNeighbourLimit[] = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";

bool IsNearlyFull(int64_t used, int64_t total) {
  return total > 0 && static_cast<double>(used) >= kNearlyFull * static_cast<double>(total);
}

std::string Used(int64_t used, int64_t total, const std::string& what) {
  return absl::StrCat(used, " of ", total, " ", what);
}

// The command that removes a lease that no VMM uses now and that does not end by itself.
std::string RemoveOneUnattached(const Observed& observed) {
  for (const v1::Tap& tap : observed.svnetd.taps) {
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

}  // namespace

Findings CheckAddresses(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  const auto& addresses = observed.svnetd.network.addresses();
  return Judge(observed, addresses.used(), addresses.total(), "addresses are leased");
}

Findings CheckPorts(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  const auto& ports = observed.svnetd.network.ports();
  return Judge(observed, ports.used(), ports.limit(), "ports of the bridge are used");
}

// Each guest that talks is an entry. The kernel's limit is for all network namespaces together, so
// there may be more entries than this.
Findings CheckNeighbours(const Observed& observed) {
  const absl::StatusOr<int64_t> limit = ReadNumber(observed.host, kNeighbourLimit);
  const absl::StatusOr<std::string> table = observed.host.ReadFile("/proc/net/arp");
  if (!limit.ok() || !table.ok()) return NotChecked("this network namespace does not show it");
  const int64_t entries =
      std::max<int64_t>(std::count(table->begin(), table->end(), '\n') - 1, 0);  // a heading
  const std::string message = Used(entries, *limit, "neighbour entries are used");
  if (!IsNearlyFull(entries, *limit)) return Ok(message);
  return Warning(absl::StrCat(message, ": when the table is full, guests stop reaching each other"),
                 absl::StrCat("sysctl -w net.ipv4.neigh.default.gc_thresh3=", 4 * *limit,
                              " net.ipv4.neigh.default.gc_thresh2=", 2 * *limit));
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
