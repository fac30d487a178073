#include "daemon/kernel/instance_lock.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

// Non-blocking: who listens may never accept, and have others waiting already.
UniqueFd OpenSocket() {
  return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// True if who listens there was root when it began to.
bool IsHeldByRoot(const sockaddr* address, socklen_t length) {
  const UniqueFd probe = OpenSocket();
  ucred holder = {};
  socklen_t size = sizeof(holder);
  return connect(probe.get(), address, length) == 0 &&
         getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &holder, &size) == 0 && holder.uid == 0;
}

}  // namespace

absl::StatusOr<UniqueFd> LockInstance(const LinkName& bridge) {
  const std::string name = absl::StrCat("svnet/", bridge.text());
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  UniqueFd lock = OpenSocket();
  if (!lock.valid()) return absl::ErrnoToStatus(errno, "socket");
  if (bind(lock.get(), any, length) == 0) {
    if (listen(lock.get(), SOMAXCONN) != 0) return absl::ErrnoToStatus(errno, "listen");
    return lock;
  }
  if (errno != EADDRINUSE) return absl::ErrnoToStatus(errno, "instance lock");
  if (!IsHeldByRoot(any, length)) return UniqueFd();
  return absl::AlreadyExistsError(
      absl::StrCat("another svnetd has bridge ", bridge.text(),
                   " in this network namespace: set another `bridge`, or stop that one"));
}

}  // namespace svnet
