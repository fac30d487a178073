// svnetd, its service and its socket.
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

constexpr char kUnit[] = "svnetd.service";

// systemd has a link of this name for a running unit, whatever its cgroup is called.
constexpr char kRunning[] = "/run/systemd/units/invocation:svnetd.service";

// systemd owns the socket; only the socket's unit creates it.
constexpr char kMakeSocket[] = "systemctl restart svnetd.socket svnetd";

// After too many failures in a minute systemd no longer starts it.
constexpr char kForgetFailures[] = "systemctl reset-failed svnetd.socket svnetd; ";

constexpr char kEnterItsNamespace[] = "nsenter --net=/proc/$(pidof svnetd)/ns/net svnetctl doctor";

// svnetd refuses root only if it comes from another network namespace.
bool IsForeignRoot(const Observed& observed) {
  return observed.host.Caller().uid == 0 && observed.svnetd.failure.has_value() &&
         observed.svnetd.failure->reason == "PERMISSION_DENIED";
}

bool Exists(const Observed& observed, const std::string& path) {
  return observed.host.Stat(path).ok();
}

bool IsInstalled(const Observed& observed) {
  for (const char* folder : {"/etc/systemd/system/", "/usr/local/lib/systemd/system/",
                             "/usr/lib/systemd/system/", "/lib/systemd/system/"}) {
    if (Exists(observed, absl::StrCat(folder, kUnit))) return true;
  }
  return false;
}

bool IsEnabled(const Observed& observed) {
  for (const char* folder : {"/etc/systemd/system/multi-user.target.wants/",
                             "/usr/lib/systemd/system/multi-user.target.wants/",
                             "/etc/systemd/system/sockets.target.wants/"}) {
    const std::string path = absl::StrCat(folder, "svnetd.");
    if (Exists(observed, path + "service") || Exists(observed, path + "socket")) return true;
  }
  return false;
}

// The command in a remedy, which is text for people: between backquotes, and systemctl's. Empty
// if there is none.
std::string CommandIn(const std::string& remedy) {
  const std::vector<std::string> parts = absl::StrSplit(remedy, '`');
  const bool has_command = parts.size() >= 3 && absl::StartsWith(parts[1], "systemctl ");
  return has_command ? parts[1] : "";
}

}  // namespace

// Reads systemd's own files, because nothing here runs a program.
Findings CheckSystemdUnit(const Observed& observed) {
  if (!Exists(observed, "/run/systemd/system")) return NotChecked("systemd is not running here");
  if (!IsInstalled(observed)) return NotChecked("svnetd is not installed as a service");
  if (!observed.host.ReadLink(kRunning).ok()) {
    return Problem(
        "svnetd.service is not running (if it fails to start, journalctl -u svnetd says why)",
        absl::StrCat(kForgetFailures, "systemctl enable --now svnetd"));
  }
  if (!IsEnabled(observed)) {
    return Warning("svnetd.service is running, but will not start after a reboot",
                   "systemctl enable svnetd");
  }
  return Ok("svnetd.service is enabled and runs");
}

Findings CheckSocket(const Observed& observed) {
  const std::string& path = observed.svnetd.socket;
  const absl::StatusOr<FileFacts> socket = observed.host.Stat(path);
  if (socket.ok() && S_ISSOCK(socket->mode)) return Ok(absl::StrCat(path, " exists"));
  if (socket.ok()) {
    return Problem(absl::StrCat(path, " is not a socket"),
                   absl::StrCat("rm ", path, " && ", kMakeSocket));
  }
  if (absl::IsPermissionDenied(socket.status())) {
    return NotChecked(absl::StrCat("this user cannot reach ", path));
  }
  return Problem(absl::StrCat("there is no ", path), kMakeSocket);
}

Findings CheckAnswer(const Observed& observed) {
  if (!observed.svnetd.failure.has_value()) return Ok("svnetd answers");
  if (IsForeignRoot(observed)) {
    return Problem(observed.svnetd.failure->message, kEnterItsNamespace);
  }
  return Problem(observed.svnetd.failure->message, observed.host.Stat(observed.svnetd.socket).ok()
                                                       ? "systemctl restart svnetd"
                                                       : kMakeSocket);
}

Findings CheckVersion(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  const std::string& version = observed.svnetd.network.daemon_version();
  if (version == SVNET_VERSION) return Ok(absl::StrCat("both are ", version));
  return Warning(absl::StrCat("svnetd is ", version, ", svnetctl " SVNET_VERSION),
                 "systemctl restart svnetd");
}

Findings CheckNetworkNamespace(const Observed& observed) {
  if (IsForeignRoot(observed)) {
    return Warning(
        "svnetd is in another network namespace: the checks of links, routes and rules are about "
        "this one",
        kEnterItsNamespace);
  }
  if (!observed.svnetd.network.bridge_up()) return NotChecked("svnetd has no bridge yet");
  if (FindLink(observed, observed.bridge) != nullptr) {
    return Ok(absl::StrCat(observed.bridge, " is in this network namespace"));
  }
  return Warning(absl::StrCat("svnetd's bridge ", observed.bridge,
                              " is in another network namespace: the checks of links, routes and "
                              "rules are about this one"),
                 kEnterItsNamespace);
}

Findings CheckConditions(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  Findings findings;
  for (const auto& condition : observed.svnetd.network.conditions()) {
    const std::string command = CommandIn(condition.remedy());
    std::string message = absl::StrCat(condition.type(), ": ", condition.message());
    if (command.empty() && !condition.remedy().empty()) {
      absl::StrAppend(&message, "; ", condition.remedy());
    }
    findings.push_back({Level::kProblem, message, command});
  }
  return findings.empty() ? Ok("svnetd reports no problem") : findings;
}

}  // namespace svnet::client
