// Metrics over HTTP, for Prometheus on the same host.
#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/metrics/listen_address.h"

namespace prometheus {
class Collectable;
class Exposer;
}  // namespace prometheus

namespace svnet {

// Serves /metrics until it goes, in threads of its own. Whoever is on the host can read
// it, so it holds nothing of single callers, and to read it again and again costs svnetd
// no more than to read it once a second.
class MetricsListener {
 public:
  // `metrics` must outlive it. An error says why the address cannot be had.
  static absl::StatusOr<std::unique_ptr<MetricsListener>> Listen(
      const ListenAddress& address, const prometheus::Collectable* metrics);
  ~MetricsListener();

  static constexpr absl::Duration kFresh = absl::Seconds(1);

 private:
  MetricsListener(const ListenAddress& address, std::shared_ptr<prometheus::Collectable> cached,
                  std::unique_ptr<prometheus::Exposer> exposer);

  const ListenAddress address_;
  const std::shared_ptr<prometheus::Collectable> cached_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace svnet
