#include "daemon/rpc/caller_identity.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "daemon/base/status_macros.h"

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

}  // namespace

absl::StatusOr<Caller> IdentifyCaller(int fd) {
  ucred credentials = {};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return absl::ErrnoToStatus(errno, "SO_PEERCRED");
  }
  SVNET_ASSIGN_OR_RETURN(std::vector<gid_t> groups, PeerGroups(fd));
  return Caller{.uid = credentials.uid, .gid = credentials.gid, .groups = std::move(groups)};
}

}  // namespace svnet
