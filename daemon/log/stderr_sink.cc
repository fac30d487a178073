#include "daemon/log/stderr_sink.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace svnet {

// It is shared with other processes, so that it cannot be made non-blocking. A pipe that is ready
// takes PIPE_BUF bytes without waiting (pipe(7)), and so does a stream of systemd's.
bool TryToWriteToStderr(const char* text, size_t size) {
  while (size > 0) {
    pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return false;
    const ssize_t written = write(STDERR_FILENO, text, std::min<size_t>(size, PIPE_BUF));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text += written;
    size -= written;
  }
  return true;
}

bool StderrSink::TryToWrite(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  return TryToWriteToStderr(line.data(), line.size());
}

}  // namespace svnet
