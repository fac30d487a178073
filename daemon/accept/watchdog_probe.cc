#include "daemon/accept/watchdog_probe.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/accept/health_exchange.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

// Nothing tells when a full queue of connections has room again (unix(7)).
constexpr absl::Duration kConnectAgainTime = absl::Milliseconds(20);

// How long, and what else, a probe waits.
struct Patience {
  absl::Time end;
  int stop;
};

// Until `fd` (-1: none) is ready for `events`, or `pause` is over.
absl::Status WaitFor(int fd, short events, const Patience& patience,
                     absl::Duration pause = absl::InfiniteDuration()) {
  const absl::Duration left = patience.end - MonotonicNow();
  if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("svnetd does not answer");
  std::array<pollfd, 2> events_of = {pollfd{.fd = fd, .events = events},
                                     pollfd{.fd = patience.stop, .events = POLLIN}};
  const int64_t milliseconds =
      absl::ToInt64Milliseconds(std::min({left, pause, absl::Minutes(1)})) + 1;
  poll(events_of.data(), events_of.size(), static_cast<int>(milliseconds));
  return events_of[1].revents == 0 ? absl::OkStatus() : absl::CancelledError("svnetd ends");
}

absl::StatusOr<UniqueFd> Connect(const std::string& path, const Patience& patience) {
  sockaddr_un address = {.sun_family = AF_UNIX};
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": too long for a socket"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "socket");
  while (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno != EAGAIN && errno != EINTR) return absl::ErrnoToStatus(errno, path);
    SVNET_RETURN_IF_ERROR(WaitFor(-1, 0, patience, kConnectAgainTime));
  }
  return fd;
}

absl::Status SendAll(const UniqueFd& fd, absl::string_view bytes, const Patience& patience) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return absl::ErrnoToStatus(errno, "send");
    if (count < 0) SVNET_RETURN_IF_ERROR(WaitFor(fd.get(), POLLOUT, patience));
    bytes.remove_prefix(std::max<ssize_t>(count, 0));
  }
  return absl::OkStatus();
}

// What has come; nothing yet, perhaps.
absl::StatusOr<std::string> ReceiveSome(const UniqueFd& fd, const Patience& patience) {
  SVNET_RETURN_IF_ERROR(WaitFor(fd.get(), POLLIN, patience));
  std::array<char, 4096> bytes;
  const ssize_t count = recv(fd.get(), bytes.data(), bytes.size(), 0);
  if (count == 0) return absl::UnavailableError("svnetd closed the connection");
  if (count < 0 && errno != EAGAIN && errno != EINTR) return absl::ErrnoToStatus(errno, "recv");
  return std::string(bytes.data(), std::max<ssize_t>(count, 0));
}

}  // namespace

absl::Status Probe(const std::string& socket_path, absl::Duration limit, int stop) {
  const Patience patience = {.end = MonotonicNow() + limit, .stop = stop};
  SVNET_ASSIGN_OR_RETURN(const UniqueFd fd, Connect(socket_path, patience));
  SVNET_RETURN_IF_ERROR(SendAll(fd, HealthExchange::Request(), patience));
  HealthExchange exchange;
  while (!exchange.is_answered()) {
    SVNET_ASSIGN_OR_RETURN(const std::string bytes, ReceiveSome(fd, patience));
    SVNET_ASSIGN_OR_RETURN(const std::string reply, exchange.Take(bytes));
    SVNET_RETURN_IF_ERROR(SendAll(fd, reply, patience));
  }
  return absl::OkStatus();
}

}  // namespace svnet
