#include "daemon/metrics/metrics_listener.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <future>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

// Two requests at a time; a reader who does not read is let go after civetweb's 30 s.
constexpr size_t kThreads = 2;

// Does not ask again for what is not older than MetricsListener::kFresh.
class Cached final : public prometheus::Collectable {
 public:
  explicit Cached(const prometheus::Collectable* metrics) : metrics_(metrics) {}

  std::vector<prometheus::MetricFamily> Collect() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (const absl::Time now = MonotonicNow(); now - read_at_ >= MetricsListener::kFresh) {
      read_at_ = now;
      families_ = metrics_->Collect();
    }
    return families_;
  }

 private:
  const prometheus::Collectable* const metrics_;
  mutable Mutex mutex_;
  mutable absl::Time read_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  mutable std::vector<prometheus::MetricFamily> families_ ABSL_GUARDED_BY(mutex_);
};

// civetweb does not say why it cannot listen: this finds out.
absl::Status TryToBind(const ListenAddress& address) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd.valid() && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.address()),
           sizeof(address.address())) == 0 &&
      listen(fd.get(), 1) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  const absl::string_view help = error == EADDRINUSE ? ": another program listens there"
                                 : error == EAFNOSUPPORT
                                     ? ": svnetd.service keeps such sockets from svnetd; "
                                       "docs/operations.md has the drop-in that lets it"
                                     : "";
  return absl::ErrnoToStatus(
      error, absl::StrCat("metrics_listen: cannot listen at ", address.text(), help));
}

}  // namespace

MetricsListener::MetricsListener(const ListenAddress& address,
                                 std::shared_ptr<prometheus::Collectable> cached,
                                 std::unique_ptr<prometheus::Exposer> exposer)
    : address_(address), cached_(std::move(cached)), exposer_(std::move(exposer)) {
  exposer_->RegisterCollectable(cached_);
}

// civetweb looks every 2 s whether it is to stop, and whenever somebody connects: a restart
// of svnetd would take that much longer, and its callers wait meanwhile.
MetricsListener::~MetricsListener() {
  std::future<void> stopped = std::async(std::launch::async, [this] { exposer_.reset(); });
  while (stopped.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_.address()),
            sizeof(address_.address()));
  }
}

absl::StatusOr<std::unique_ptr<MetricsListener>> MetricsListener::Listen(
    const ListenAddress& address, const prometheus::Collectable* metrics) {
  SVNET_RETURN_IF_ERROR(TryToBind(address));
  try {
    return std::unique_ptr<MetricsListener>(
        new MetricsListener(address, std::make_shared<Cached>(metrics),
                            std::make_unique<prometheus::Exposer>(address.text(), kThreads)));
  } catch (const std::exception& error) {
    return absl::InternalError(
        absl::StrCat("metrics_listen: cannot listen at ", address.text(), ": ", error.what()));
  }
}

}  // namespace svnet
