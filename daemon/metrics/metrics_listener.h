// Where this host's Prometheus connects, and the page that it reads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/listen_address.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace prometheus {
class Collectable;
}  // namespace prometheus

namespace svnet {

// A listening TCP socket: whoever has fd() accepts. Whoever is on the host can read the page,
// so it holds nothing of single callers, and to read it again and again costs svnetd no more
// than to read it once a second. Thread-safe.
class MetricsListener {
 public:
  using Clock = std::function<absl::Time()>;  // as MonotonicNow

  // How old a page may be.
  static constexpr absl::Duration kFresh = absl::Seconds(1);

  // `metrics` must outlive it. An error says why the address cannot be had.
  static absl::StatusOr<std::unique_ptr<MetricsListener>> Listen(
      const ListenAddress& address, const prometheus::Collectable* metrics, Clock clock);

  // To be accepted from; non-blocking. Of what waits there, the kernel keeps some.
  int fd() const { return fd_.get(); }

  // The metrics in the text format, version 0.0.4.
  std::string Page() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  MetricsListener(UniqueFd fd, const prometheus::Collectable* metrics, Clock clock)
      : fd_(std::move(fd)), metrics_(metrics), clock_(std::move(clock)) {}

  const UniqueFd fd_;
  const prometheus::Collectable* const metrics_;
  const Clock clock_;

  Mutex mutex_;
  absl::Time read_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::string page_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet
