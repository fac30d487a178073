// The kernel's version and modules.
#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/doctor/checks.h"
#include "daemon/base/table_name.h"

namespace svnet::client {
namespace {

std::string Release(const Host& host) {
  const std::string text = host.ReadFile("/proc/sys/kernel/osrelease").value_or("");
  return std::string(absl::StripSuffix(text, "\n"));
}

enum class Presence { kLoaded, kThere, kAbsent, kUnknown };

// The lists are of paths: "kernel/net/netfilter/nft_masq.ko.xz".
Presence FindModule(const Host& host, const std::string& name) {
  if (host.Stat(absl::StrCat("/sys/module/", name)).ok()) return Presence::kLoaded;
  const std::string folder = absl::StrCat("/lib/modules/", Release(host), "/");
  const absl::StatusOr<std::string> built_in = host.ReadFile(folder + "modules.builtin");
  const absl::StatusOr<std::string> loadable = host.ReadFile(folder + "modules.dep");
  const std::string file = absl::StrCat("/", name, ".ko");
  if (built_in.ok() && absl::StrContains(*built_in, file)) return Presence::kLoaded;
  if (loadable.ok() && absl::StrContains(*loadable, file)) return Presence::kThere;
  return built_in.ok() && loadable.ok() ? Presence::kAbsent : Presence::kUnknown;
}

// `in_use`: svnetd uses it, so the kernel has it.
Findings CheckModule(const Observed& observed, const std::string& name, bool in_use) {
  if (in_use) return Ok(absl::StrCat("svnetd uses the kernel's module ", name));
  switch (FindModule(observed.host, name)) {
    case Presence::kLoaded:
      return Ok(absl::StrCat("the kernel has ", name));
    case Presence::kThere:
      return Ok(absl::StrCat("the kernel can load ", name));
    case Presence::kUnknown:
      return NotChecked("there is no list of this kernel's modules");
    case Presence::kAbsent:
      break;
  }
  return Problem(absl::StrCat("kernel ", Release(observed.host), " has no module ", name,
                              ": install its modules"),
                 absl::StrCat("apt-get install --reinstall linux-image-", Release(observed.host)));
}

bool RulesExist(const Observed& observed) {
  if (!observed.nft.ok()) return false;
  for (const std::string& bridge : Bridges(observed)) {
    for (const FilterChain& chain : *observed.nft) {
      if (IsTableOf(chain.table, bridge)) return true;
    }
  }
  return false;
}

}  // namespace

Findings CheckKernelVersion(const Observed& observed) {
  const std::string release = Release(observed.host);
  int major = 0;
  int minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) {
    return NotChecked("the kernel does not say its version");
  }
  if (major > 6 || (major == 6 && minor >= 2)) return Ok(absl::StrCat("kernel ", release));
  return Warning(absl::StrCat("kernel ", release,
                              " is older than 6.2: removing a TAP sets it down for a moment, "
                              "because this kernel cannot rename a link that is up"),
                 "");
}

Findings CheckBridgeModule(const Observed& observed) {
  const bool in_use = std::any_of(
      observed.links.begin(), observed.links.end(),
      [&](const HostLink& link) { return IsBridge(observed, link) && link.kind == "bridge"; });
  return CheckModule(observed, "bridge", in_use);
}

Findings CheckNftModule(const Observed& observed) {
  return CheckModule(observed, "nf_tables", RulesExist(observed));
}

Findings CheckMasqueradeModule(const Observed& observed) {
  return CheckModule(observed, "nft_masq", RulesExist(observed));
}

}  // namespace svnet::client
