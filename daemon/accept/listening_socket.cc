#include "daemon/accept/listening_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

absl::Status Errno(absl::string_view what) { return absl::ErrnoToStatus(errno, what); }

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX};
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("the path of a socket has 1 to ",
                                                   sizeof(address.sun_path) - 1, " bytes: ", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<UniqueFd> OpenSocket(int type) {
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return Errno("socket");
  return fd;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Only the last folder of the path: a mistyped path does not grow a tree.
absl::Status EnsureFolder(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  if (folder.empty() || mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST) {
    return absl::OkStatus();
  }
  return Errno(absl::StrCat("mkdir ", folder.string()));
}

// A socket's file outlives a process that was killed; nobody answers there.
absl::Status RemoveStale(const std::string& path, int type, const sockaddr_un& address) {
  struct stat file = {};
  if (lstat(path.c_str(), &file) != 0) return errno == ENOENT ? absl::OkStatus() : Errno(path);
  if (!S_ISSOCK(file.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is there and is no socket: remove it, or set another `socket`"));
  }
  SVNET_ASSIGN_OR_RETURN(const UniqueFd probe, OpenSocket(type));
  // EAGAIN: somebody listens, and has more callers waiting than it takes.
  if (connect(probe.get(), Generic(address), sizeof(address)) == 0 || errno == EAGAIN) {
    return absl::AlreadyExistsError(
        absl::StrCat("somebody listens at ", path, " already: is another svnetd running?"));
  }
  if (errno != ECONNREFUSED) return Errno(absl::StrCat("connect ", path));
  return unlink(path.c_str()) == 0 || errno == ENOENT ? absl::OkStatus() : Errno(path);
}

absl::StatusOr<std::string> PathOf(const UniqueFd& fd) {
  sockaddr_un address = {};
  socklen_t size = sizeof(address);
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Errno("getsockname");
  }
  if (address.sun_path[0] == '/') return std::string(address.sun_path);
  return absl::InvalidArgumentError("the socket that systemd passes has no path");
}

bool Listens(int fd, int type) { return sd_is_socket_unix(fd, type, 1, nullptr, 0) > 0; }

// Invalid if there is none of that type. Others are looked at, too, but not taken.
absl::StatusOr<UniqueFd> PassedBySystemd(int type) {
  UniqueFd found;
  const int end = SD_LISTEN_FDS_START + sd_listen_fds(0);
  for (int fd = SD_LISTEN_FDS_START; fd < end; ++fd) {
    const bool wanted = Listens(fd, type);
    const bool known = Listens(fd, SOCK_STREAM) || Listens(fd, SOCK_SEQPACKET);
    if (!known || (wanted && found.valid())) {
      return absl::InvalidArgumentError(
          "systemd passes something else than one listening Unix stream socket, and perhaps one of "
          "type SOCK_SEQPACKET: look at svnetd.socket");
    }
    if (wanted) found = UniqueFd(fd);
  }
  return found;
}

absl::Status Bind(const UniqueFd& fd, const sockaddr_un& address) {
  // Born closed to everybody else: it must not be open between bind and chmod.
  const mode_t before = umask(0177);
  const absl::Cleanup restore = [before] { umask(before); };
  if (bind(fd.get(), Generic(address), sizeof(address)) == 0) return absl::OkStatus();
  return Errno(absl::StrCat("bind ", address.sun_path));
}

}  // namespace

absl::StatusOr<ListeningSocket> ListeningSocket::Listen(absl::string_view path_text, int type,
                                                        std::optional<gid_t> group, bool open) {
  const std::string path(path_text);
  SVNET_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  SVNET_RETURN_IF_ERROR(EnsureFolder(path));
  SVNET_RETURN_IF_ERROR(RemoveStale(path, type, address));
  SVNET_ASSIGN_OR_RETURN(UniqueFd fd, OpenSocket(type));
  SVNET_RETURN_IF_ERROR(Bind(fd, address));
  struct stat file = {};
  if (lstat(path.c_str(), &file) != 0) return Errno(path);
  ListeningSocket listening(std::move(fd), path);
  listening.file_ = file;  // unlinks it, should the rest fail
  listening.GiveTo(group);
  SVNET_RETURN_IF_ERROR(listening.SetOpen(open));
  if (listen(listening.fd(), SOMAXCONN) != 0) return Errno("listen");
  return listening;
}

void ListeningSocket::GiveTo(std::optional<gid_t> group) {
  if (!group.has_value()) return;
  if (lchown(path_.c_str(), 0, *group) == 0) {
    group_ = group;
  } else {
    group_status_ = Errno(absl::StrCat("cannot give ", path_, " to group ", *group));
  }
}

absl::StatusOr<std::optional<ListeningSocket>> ListeningSocket::TakeFromSystemd(int type) {
  SVNET_ASSIGN_OR_RETURN(UniqueFd fd, PassedBySystemd(type));
  if (!fd.valid()) return std::nullopt;
  SVNET_ASSIGN_OR_RETURN(const std::string path, PathOf(fd));
  if (fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK) != 0) return Errno("fcntl");
  return ListeningSocket(std::move(fd), path);
}

absl::Status ListeningSocket::SetOpen(bool open) const {
  if (file_.has_value()) {
    const mode_t mode = open ? 0666 : group_.has_value() ? 0660 : 0600;
    return !OwnsFile() || chmod(path_.c_str(), mode) == 0 ? absl::OkStatus() : Errno("chmod");
  }
  struct stat now = {};
  if (!open || lstat(path_.c_str(), &now) != 0 || (now.st_mode & 0002) != 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("[callers] lets in who cannot open ", path_,
                   ": `systemctl edit svnetd.socket`, add SocketMode=0666 to its [Socket], and "
                   "restart it"));
}

bool ListeningSocket::OwnsFile() const {
  struct stat now = {};
  return file_.has_value() && lstat(path_.c_str(), &now) == 0 && now.st_dev == file_->st_dev &&
         now.st_ino == file_->st_ino;
}

void RefuseWaiting(absl::Duration time) {
  std::vector<pollfd> sockets;
  for (int i = 0; i < sd_listen_fds(0); ++i) {
    sockets.push_back({.fd = SD_LISTEN_FDS_START + i, .events = POLLIN, .revents = 0});
  }
  if (sockets.empty()) return;
  const absl::Time end = MonotonicNow() + time;
  for (absl::Time now = MonotonicNow(); now < end; now = MonotonicNow()) {
    const int rest = static_cast<int>(absl::ToInt64Milliseconds(end - now)) + 1;
    if (poll(sockets.data(), sockets.size(), rest) <= 0) continue;
    for (const pollfd& each : sockets) {
      if (each.revents == 0) continue;
      const UniqueFd refused(accept4(each.fd, nullptr, nullptr, SOCK_CLOEXEC));
    }
  }
}

ListeningSocket::~ListeningSocket() {
  if (fd_.valid() && OwnsFile()) unlink(path_.c_str());
}

}  // namespace svnet
