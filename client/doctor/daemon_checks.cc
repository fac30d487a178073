// svnetd, its service and its socket.
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/doctor/checks.h"
#include "daemon/config/config.h"

namespace svnet::client {
namespace {

constexpr char kUnit[] = "svnetd.service";

// systemd has a link of this name for a running unit, whatever its cgroup is called.
constexpr char kRunning[] = "/run/systemd/units/invocation:svnetd.service";

// systemd owns the socket; only the socket's unit creates it.
constexpr char kMakeSocket[] = "systemctl restart svnetd.socket svnetd";

constexpr char kEnterItsNamespace[] = "nsenter --net=/proc/$(pidof svnetd)/ns/net svnetctl doctor";

// svnetd refuses root only if it comes from another network namespace.
bool IsForeignRoot(const Observed& observed) {
  return observed.host.Caller().uid == 0 && observed.svnetd.failure.has_value() &&
         observed.svnetd.failure->reason == "PERMISSION_DENIED";
}

// The command that lets the caller in; empty if joining the socket's group does not.
std::string JoinGroup(const Observed& observed) {
  const CallerFacts caller = observed.host.Caller();
  const absl::StatusOr<FileFacts> socket = observed.host.Stat(observed.svnetd.socket);
  if (!socket.ok() || caller.uid == 0 || socket->gid == 0) return "";
  return absl::StrCat("usermod -aG ", observed.host.GroupName(socket->gid), " ", caller.user,
                      "  # then log out and in again");
}

// A restart does not help a caller whom svnetd, or the socket's mode, refuses.
std::string FixForNoAnswer(const Observed& observed) {
  if (IsForeignRoot(observed)) return kEnterItsNamespace;
  const absl::StatusOr<pid_t> listener = observed.host.ListenerOf(observed.svnetd.socket);
  if (observed.svnetd.failure->reason == "PERMISSION_DENIED" ||
      absl::IsPermissionDenied(listener.status())) {
    return JoinGroup(observed);
  }
  return observed.host.Stat(observed.svnetd.socket).ok() ? "systemctl restart svnetd" : kMakeSocket;
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

Findings CheckConfiguration(const Observed& observed) {
  const absl::Status& file = observed.configuration;
  if (file.ok()) return Ok(absl::StrCat(kConfigFile, " has no errors"));
  if (absl::IsNotFound(file)) return Ok(absl::StrCat("there is no ", kConfigFile));
  if (absl::IsPermissionDenied(file))
    return NotChecked(absl::StrCat("needs root to read ", kConfigFile));
  const bool runs = !observed.svnetd.failure.has_value();
  return {
      {runs ? Level::kWarning : Level::kProblem,
       absl::StrCat(file.message(), runs ? "; svnetd runs with what the file said before, and will "
                                           "not start again"
                                         : "; svnetd does not start with it"),
       absl::StrCat("editor ", kConfigFile, " && svnetd --check && systemctl restart svnetd")}};
}

// Reads systemd's own files, because nothing here runs a program.
Findings CheckSystemdUnit(const Observed& observed) {
  if (!Exists(observed, "/run/systemd/system")) return NotChecked("systemd is not running here");
  if (!IsInstalled(observed)) return NotChecked("svnetd is not installed as a service");
  if (!observed.host.ReadLink(kRunning).ok()) {
    return Problem(
        "svnetd.service is not running (if it fails to start, journalctl -u svnetd says why)",
        "systemctl enable --now svnetd");
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
  return Problem(observed.svnetd.failure->message, FixForNoAnswer(observed));
}

Findings CheckVersion(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  if (observed.svnetd.networks.empty()) return NotChecked("this user may use no network");
  const std::string& version = observed.svnetd.networks.front().daemon_version();
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
  const std::string* missing = nullptr;
  for (const auto& network : observed.svnetd.networks) {
    if (!network.bridge_up()) continue;
    if (FindLink(observed, network.bridge()) != nullptr) {
      return Ok(absl::StrCat(network.bridge(), " is in this network namespace"));
    }
    if (missing == nullptr) missing = &network.bridge();
  }
  if (missing == nullptr) return NotChecked("svnetd has no bridge yet");
  return Warning(absl::StrCat("svnetd's bridge ", *missing,
                              " is in another network namespace: the checks of links, routes and "
                              "rules are about this one"),
                 kEnterItsNamespace);
}

Findings CheckConditions(const Observed& observed) {
  if (observed.svnetd.failure.has_value()) return NotChecked("svnetd does not answer");
  Findings findings;
  for (const auto& condition : observed.subject.conditions()) {
    const std::string command = CommandIn(condition.remedy());
    std::string message = absl::StrCat(condition.type(), ": ", condition.message());
    if (command.empty() && !condition.remedy().empty()) {
      absl::StrAppend(&message, "; ", condition.remedy());
    }
    // These keep nobody from the network.
    const bool harmless =
        condition.type() == "RESTART_NEEDED" || condition.type() == "IPV6_NOT_OFF";
    findings.push_back({harmless ? Level::kWarning : Level::kProblem, message, command});
  }
  return findings.empty() ? Ok("svnetd reports no problem") : findings;
}

}  // namespace svnet::client
