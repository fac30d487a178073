#include "client/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

namespace svnet::client {
namespace {

bool IsClosed(int fd) { return fcntl(fd, F_GETFD) < 0 && errno == EBADF; }

}  // namespace

void PrepareStandardStreams() {
  std::signal(SIGPIPE, SIG_IGN);
  // open(2) takes the lowest number that is free, so each lands where it should.
  if (IsClosed(STDIN_FILENO)) (void)open("/dev/null", O_WRONLY);
  if (IsClosed(STDOUT_FILENO)) (void)open("/dev/null", O_RDONLY);
  if (IsClosed(STDERR_FILENO)) (void)open("/dev/null", O_RDONLY);
}

void ExitWhenNobodyReads() {
  std::thread([] {
    // Not for input: only for the error that poll(2) always reports.
    pollfd output = {.fd = STDOUT_FILENO, .events = 0, .revents = 0};
    while (poll(&output, 1, -1) < 0 && errno == EINTR) {
    }
    if ((output.revents & POLLERR) != 0) _exit(0);
  }).detach();
}

absl::Status WriteFully(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) return absl::CancelledError("write: Broken pipe");
    if (written < 0) return absl::ErrnoToStatus(errno, "write");
    text.remove_prefix(written);
  }
  return absl::OkStatus();
}

}  // namespace svnet::client
