// A Unix socket that svnetd listens on.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// Listens as long as it lives. Not thread-safe.
class ListeningSocket {
 public:
  // Both are made and passed by `type`, SOCK_STREAM or SOCK_SEQPACKET.

  // Makes the socket, mode 0660, root's and `group`'s (nullopt: root's alone, 0600), or
  // `open` to everybody, 0666; and its folder if that is missing. What an svnetd that was killed
  // left behind is replaced. AlreadyExists if somebody listens there; FailedPrecondition if the
  // file is no socket. If the group cannot get it, it is root's alone: see group_status. Changes
  // the umask for a moment: no threads should run yet. Its file goes with it.
  static absl::StatusOr<ListeningSocket> Listen(absl::string_view path, int type,
                                                std::optional<gid_t> group, bool open);

  // The one that systemd passes (sd_listen_fds(3)), if it does: it listens already, also
  // before svnetd starts and after it ends. Its file is systemd's. InvalidArgument if
  // it passes two of them, or something that is no listening Unix socket with a path. To be called
  // once for each type.
  static absl::StatusOr<std::optional<ListeningSocket>> TakeFromSystemd(int type);

  ListeningSocket(ListeningSocket&&) = default;
  ~ListeningSocket();

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  // Then callers who connect after svnetd has ended wait for the next one.
  bool is_socket_activated() const { return !file_.has_value(); }

  // Why the group has not got the socket.
  const absl::Status& group_status() const { return group_status_; }

  // Whether everybody may connect, or only root and the group. FailedPrecondition if
  // the mode is systemd's to say, and closes out who `open` is for.
  absl::Status SetOpen(bool open) const;

 private:
  ListeningSocket(UniqueFd fd, absl::string_view path) : fd_(std::move(fd)), path_(path) {}

  void GiveTo(std::optional<gid_t> group);
  // Whether the file is still the one that Listen made.
  bool OwnsFile() const;

  UniqueFd fd_;
  std::string path_;
  std::optional<gid_t> group_;
  absl::Status group_status_;
  // Which file is ours: another svnetd may have replaced it. nullopt: systemd's.
  std::optional<struct stat> file_;
};

// Closes the connections of those who wait on the sockets that systemd passes, of whatever kind
// they are, and of those who come in that time. Does nothing if systemd passes none.
void RefuseWaiting(absl::Duration time);

}  // namespace svnet
