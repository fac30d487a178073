// The Unix socket that svnetd listens on.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// Listens as long as it lives; its file goes with it. Not thread-safe.
class ListeningSocket {
 public:
  // Makes the socket, mode 0660, root's and `group`'s (nullopt: root's alone, 0600), or
  // `open` to everybody, 0666; and its folder if that is missing. What an svnetd that was killed
  // left behind is replaced. AlreadyExists if somebody listens there; FailedPrecondition if the
  // file is no socket. Changes the umask for a moment: no threads should run yet.
  static absl::StatusOr<ListeningSocket> Listen(absl::string_view path, std::optional<gid_t> group,
                                                bool open);

  ListeningSocket(ListeningSocket&&) = default;
  ~ListeningSocket();

  int fd() const { return fd_.get(); }

 private:
  ListeningSocket(UniqueFd fd, absl::string_view path, const struct stat& file)
      : fd_(std::move(fd)), path_(path), file_(file) {}

  UniqueFd fd_;
  std::string path_;
  struct stat file_;  // which file is ours: another svnetd may have replaced it
};

}  // namespace svnet
