#include "daemon/metrics/metrics_listener.h"

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// Readers who wait until others have gone.
constexpr int kBacklog = 128;

absl::string_view ReasonFor(int error) {
  switch (error) {
    case EADDRINUSE:
      return ": another program listens there";
    case EADDRNOTAVAIL:
      return ": the host does not have this address";
    case EAFNOSUPPORT:
      return ": svnetd.service keeps such sockets from svnetd; "
             "/usr/share/doc/svnet/docs/operations.md has the drop-in "
             "that lets it";
    default:
      return "";
  }
}

absl::Status ListenError(const ListenAddress& address, int error) {
  return absl::ErrnoToStatus(
      error, absl::StrCat("metrics_listen: cannot listen at ", address.text(), ReasonFor(error)));
}

absl::StatusOr<UniqueFd> OpenSocket(const ListenAddress& address) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (fd.valid() && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.address()),
           sizeof(address.address())) == 0 &&
      listen(fd.get(), kBacklog) == 0) {
    return fd;
  }
  return ListenError(address, errno);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsListener>> MetricsListener::Listen(
    const ListenAddress& address, const prometheus::Collectable* metrics, Clock clock) {
  SVNET_ASSIGN_OR_RETURN(UniqueFd fd, OpenSocket(address));
  return std::unique_ptr<MetricsListener>(
      new MetricsListener(std::move(fd), metrics, std::move(clock)));
}

std::string MetricsListener::Page() {
  MutexLock lock(&mutex_);
  if (const absl::Time now = clock_(); now - read_at_ >= kFresh) {
    read_at_ = now;
    page_ = prometheus::TextSerializer().Serialize(metrics_->Collect());
  }
  return page_;
}

}  // namespace svnet
