// The user who runs the doctor, and what they may open.
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

constexpr char kTun[] = "/dev/net/tun";

// udev creates the device when the module is loaded, but not if the module already is or is built
// in.
constexpr char kMakeTun[] =
    "modprobe tun; [ -c /dev/net/tun ] || "
    "{ mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200; }";

// The kernel's number of its initial user namespace (include/linux/proc_ns.h).
constexpr char kFirstUserNamespace[] = "user:[4026531837]";

// "pid:[...]" of the process that has opened svnetd's socket; empty if this user may not see it.
std::string NamespaceOfListener(const Observed& observed, const std::string& kind) {
  const absl::StatusOr<pid_t> listener = observed.host.ListenerOf(observed.svnetd.socket);
  if (!listener.ok() || *listener == 0) return "";
  return observed.host.ReadLink(absl::StrCat("/proc/", *listener, "/ns/", kind)).value_or("");
}

}  // namespace

Findings CheckTunDevice(const Observed& observed) {
  const absl::StatusOr<FileFacts> tun = observed.host.Stat(kTun);
  if (tun.ok() && S_ISCHR(tun->mode)) return Ok("/dev/net/tun exists");
  if (tun.ok())
    return Problem("/dev/net/tun is not a device", absl::StrCat("rm /dev/net/tun; ", kMakeTun));
  return Problem("there is no /dev/net/tun: no VMM can open a TAP", kMakeTun);
}

Findings CheckTunAccess(const Observed& observed) {
  if (!observed.host.Stat(kTun).ok()) return NotChecked("there is no /dev/net/tun");
  const absl::Status opened = observed.host.TryOpen(kTun);
  if (opened.ok()) return Ok(absl::StrCat(observed.host.Caller().user, " can open /dev/net/tun"));
  if (!absl::IsPermissionDenied(opened)) {
    return Problem(absl::StrCat("cannot open ", opened.message()), "modprobe tun");
  }
  return Problem(absl::StrCat(observed.host.Caller().user,
                              " may not open /dev/net/tun, so their VMMs may not either"),
                 "chmod 0666 /dev/net/tun");
}

Findings CheckSocketGroup(const Observed& observed) {
  const CallerFacts caller = observed.host.Caller();
  const absl::StatusOr<FileFacts> socket = observed.host.Stat(observed.svnetd.socket);
  if (!socket.ok()) return NotChecked("the socket cannot be seen");
  if (caller.uid == 0 || caller.uid == socket->uid || (socket->mode & 0002) != 0) {
    return Ok(absl::StrCat(caller.user, " needs no group to open the socket"));
  }
  const std::string group = observed.host.GroupName(socket->gid);
  const auto& groups = caller.groups;
  if (std::find(groups.begin(), groups.end(), socket->gid) != groups.end()) {
    return Ok(absl::StrCat(caller.user, " is in group ", group));
  }
  if (observed.host.IsMember(caller.user, socket->gid)) {
    return Warning(absl::StrCat(caller.user, " is in group ", group,
                                ", but this session started before that: log out and in again"),
                   absl::StrCat("newgrp ", group));
  }
  return Problem(
      absl::StrCat(caller.user, " is not in group ", group, ", which may open the socket"),
      absl::StrCat("usermod -aG ", group, " ", caller.user));
}

Findings CheckUserNamespace(const Observed& observed) {
  const absl::StatusOr<std::string> name = observed.host.ReadLink("/proc/self/ns/user");
  if (!name.ok()) return NotChecked("/proc cannot be read");
  if (*name == kFirstUserNamespace) return Ok("this is the host's user namespace");
  if (NamespaceOfListener(observed, "user") == *name) {
    return Ok("svnetd is in this user namespace, too");
  }
  return Warning(
      "this is a separate user namespace: svnetd sees the host's uid, and the TAP belongs to that "
      "uid",
      "");
}

// svnetd itself may be in a container, and its callers with it.
Findings CheckPidNamespace(const Observed& observed) {
  const absl::StatusOr<pid_t> listener = observed.host.ListenerOf(observed.svnetd.socket);
  if (!listener.ok()) return NotChecked("svnetd cannot be asked");
  const std::string theirs = NamespaceOfListener(observed, "pid");
  const bool differs =
      !theirs.empty() && theirs != observed.host.ReadLink("/proc/self/ns/pid").value_or(theirs);
  if (*listener != 0 && !differs) return Ok("svnetd sees the processes of this pid namespace");
  return Warning(
      "svnetd is in another pid namespace, where processes have other numbers: --lifetime "
      "process:PID does not work from here",
      "");
}

}  // namespace svnet::client
