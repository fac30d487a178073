// The settings that decide whether the host passes packets on.
#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

constexpr char kIpForward[] = "/proc/sys/net/ipv4/ip_forward";
constexpr char kBridgeNetfilter[] = "/proc/sys/net/bridge/bridge-nf-call-iptables";

std::string SettingOf(const std::string& link, const std::string& name) {
  return absl::StrCat("/proc/sys/net/ipv4/conf/", link, "/", name);
}

// With slashes, because a link's name may have dots, which sysctl(8) would read as slashes.
std::string SetSetting(const std::string& link, const std::string& name, int value) {
  return absl::StrCat("sysctl -w net/ipv4/conf/", link, "/", name, "=", value);
}

// The files that set it at boot, in the order of sysctl.d(5): by name, whichever the
// folder; of two with one name, the first folder's.
std::map<std::string, std::string> SysctlFiles(const Host& host) {
  std::map<std::string, std::string> files;
  for (const char* folder : {"/etc/sysctl.d/", "/run/sysctl.d/", "/usr/lib/sysctl.d/"}) {
    for (const std::string& name : host.ListFolder(folder)) {
      if (absl::EndsWith(name, ".conf")) files.emplace(name, absl::StrCat(folder, name));
    }
  }
  return files;
}

struct SavedSetting {
  std::string file;  // empty: none sets it
  std::string value;
};

void TakeForwarding(const std::string& file, const std::string& text, SavedSetting& saved) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits('=', 1));
    std::string key(absl::StripAsciiWhitespace(parts.first));
    if (absl::StartsWith(key, "-")) key.erase(0, 1);
    key = absl::StrReplaceAll(key, {{"/", "."}});
    if (key != "net.ipv4.ip_forward" && key != "net.ipv4.conf.all.forwarding") continue;
    saved = {.file = file, .value = std::string(absl::StripAsciiWhitespace(parts.second))};
  }
}

// The greater of the two values is in force (ip-sysctl.rst).
bool FiltersStrictly(const Host& host, const std::string& link) {
  const int64_t all = ReadNumber(host, SettingOf("all", "rp_filter")).value_or(0);
  return std::max(all, ReadNumber(host, SettingOf(link, "rp_filter")).value_or(0)) == 1;
}

// Both set it themselves, and filter with it.
bool NeedsBridgeNetfilter(const Observed& observed) {
  for (const char* path :
       {"/run/docker.sock", "/etc/kubernetes", "/var/lib/kubelet", "/var/lib/rancher/k3s"}) {
    if (observed.host.Stat(path).ok()) return true;
  }
  return FindLink(observed, "docker0") != nullptr;
}

std::string LetGuestsReachEachOther(const Observed& observed) {
  return absl::StrCat("iptables -I FORWARD -i ", observed.bridge, " -o ", observed.bridge,
                      " -j ACCEPT");
}

}  // namespace

Findings CheckForwarding(const Observed& observed) {
  const absl::StatusOr<int64_t> forwarding = ReadNumber(observed.host, kIpForward);
  if (!forwarding.ok()) return NotChecked("net.ipv4.ip_forward cannot be read");
  if (*forwarding == 1) return Ok("net.ipv4.ip_forward is 1");
  if (!AnyBridgeExists(observed)) {
    return Ok("net.ipv4.ip_forward is 0: svnetd sets it with the first TAP");
  }
  return Problem("net.ipv4.ip_forward is 0: guests cannot get out",
                 "sysctl -w net.ipv4.ip_forward=1");
}

Findings CheckForwardingKept(const Observed& observed) {
  SavedSetting saved;
  for (const auto& [name, path] : SysctlFiles(observed.host)) {
    TakeForwarding(path, observed.host.ReadFile(path).value_or(""), saved);
  }
  // `sysctl --system` reads it last.
  TakeForwarding("/etc/sysctl.conf", observed.host.ReadFile("/etc/sysctl.conf").value_or(""),
                 saved);
  if (saved.file.empty()) return Ok("no file sets forwarding: svnetd does");
  if (saved.value == "1") return Ok(absl::StrCat(saved.file, " turns forwarding on"));
  return Warning(
      absl::StrCat(saved.file, " turns forwarding off whenever it is read"),
      absl::StrCat("sed -i -E '/^-?net.ipv4.(ip_forward|conf.all.forwarding)/d' ", saved.file));
}

Findings CheckLinkForwarding(const Observed& observed) {
  std::vector<std::string> names = {observed.bridge};
  for (const HostLink* uplink : Uplinks(observed)) names.push_back(uplink->name);
  Findings findings;
  if (ReadNumber(observed.host, kIpForward).value_or(1) == 0) {
    return NotChecked("forwarding is off for the whole host");
  }
  for (const std::string& name : names) {
    if (ReadNumber(observed.host, SettingOf(name, "forwarding")).value_or(1) != 0) continue;
    findings.push_back({Level::kProblem, absl::StrCat("link ", name, " does not forward"),
                        SetSetting(name, "forwarding", 1)});
  }
  return findings.empty() ? Ok("bridge and uplinks forward") : findings;
}

Findings CheckReversePath(const Observed& observed) {
  const std::vector<const HostLink*> uplinks = Uplinks(observed);
  Findings findings;
  // With one uplink every answer comes in through the link that the request left by.
  for (size_t i = 0; uplinks.size() > 1 && i < uplinks.size(); ++i) {
    const std::string& name = uplinks[i]->name;
    if (!FiltersStrictly(observed.host, name)) continue;
    findings.push_back(
        {Level::kWarning,
         absl::StrCat("there are ", uplinks.size(), " uplinks, and ", name,
                      " drops packets whose answer would leave by another uplink (rp_filter 1)"),
         SetSetting(name, "rp_filter", 2)});
  }
  return findings.empty() ? Ok("no uplink drops answers (rp_filter)") : findings;
}

Findings CheckBridgeNetfilter(const Observed& observed) {
  const absl::StatusOr<int64_t> calls = ReadNumber(observed.host, kBridgeNetfilter);
  if (!calls.ok()) return Ok("br_netfilter is not loaded");
  if (observed.IsRouted()) return Ok("guests of a routed network cross no bridge");
  if (*calls == 0) return Ok("bridge-nf-call-iptables is 0");
  return Warning(
      absl::StrCat("bridge-nf-call-iptables is 1, as Docker and Kubernetes want it: iptables' "
                   "FORWARD rules also filter frames between guests of the same owner",
                   NeedsBridgeNetfilter(observed) ? "" : "; keep it if you use one of these"),
      NeedsBridgeNetfilter(observed)
          ? LetGuestsReachEachOther(observed)
          : absl::StrCat("sysctl -w net.bridge.bridge-nf-call-iptables=0  # or: ",
                         LetGuestsReachEachOther(observed)));
}

}  // namespace svnet::client
