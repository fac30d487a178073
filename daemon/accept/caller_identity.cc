#include "daemon/accept/caller_identity.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

// Supplementary groups, sorted. The kernel says how many there are if there is too
// little room (NGROUPS_MAX is 65536).
absl::StatusOr<std::vector<gid_t>> PeerGroups(int fd) {
  std::vector<gid_t> groups(64);
  socklen_t size = groups.size() * sizeof(gid_t);
  int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  if (result != 0 && errno == ERANGE) {
    groups.resize(size / sizeof(gid_t));
    result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  }
  if (result != 0) return absl::ErrnoToStatus(errno, "SO_PEERGROUPS");
  groups.resize(size / sizeof(gid_t));
  std::sort(groups.begin(), groups.end());
  return groups;
}

// Whether that process is in svnetd's own pid namespace: then it has one number, and not
// one more for each namespace below. False if it has gone, or is out of sight (proc(5),
// NSpid). No link in /proc/pid/ns is read: that takes CAP_SYS_PTRACE.
bool IsInOwnPidNamespace(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    if (fields[0] == "NSpid:") return fields.size() == 2 && fields[1] == absl::StrCat(pid);
  }
  return false;
}

// Which network namespace a socket is of. The kernel makes an accepted Unix socket in the
// namespace of who connected (net/unix/af_unix.c, unix_stream_connect), which is that of the
// process when it called socket(2).
std::optional<uint64_t> NetworkNamespaceOf(int fd) {
  constexpr int kNetnsCookie = 71;  // SO_NETNS_COOKIE, which older headers do not have
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, kNetnsCookie, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

std::optional<uint64_t> OwnNetworkNamespace() {
  const UniqueFd any(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return any.valid() ? NetworkNamespaceOf(any.get()) : std::nullopt;
}

bool IsForeign(int fd) {
  static const std::optional<uint64_t> own = OwnNetworkNamespace();
  return own.has_value() && NetworkNamespaceOf(fd) != own;
}

absl::StatusOr<ucred> PeerCredentials(int fd) {
  ucred credentials = {};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return absl::ErrnoToStatus(errno, "SO_PEERCRED");
  }
  return credentials;
}

}  // namespace

bool KnowsNetworkNamespaces() { return OwnNetworkNamespace().has_value(); }

bool SharesPids(int fd) {
  const absl::StatusOr<ucred> credentials = PeerCredentials(fd);
  return credentials.ok() && IsInOwnPidNamespace(credentials->pid);
}

absl::StatusOr<Caller> IdentifyCaller(int fd) {
  SVNET_ASSIGN_OR_RETURN(const ucred credentials, PeerCredentials(fd));
  SVNET_ASSIGN_OR_RETURN(std::vector<gid_t> groups, PeerGroups(fd));
  return Caller{.uid = credentials.uid,
                .gid = credentials.gid,
                .groups = std::move(groups),
                .foreign = IsForeign(fd)};
}

}  // namespace svnet
