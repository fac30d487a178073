// Connections, counted by what their callers are.
#pragma once

#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "absl/status/status.h"
#include "daemon/network/caller.h"

namespace svnet {

// Thread-safe.
class ConnectionMetrics {
 public:
  // `registry` must outlive it.
  explicit ConnectionMetrics(prometheus::Registry* registry);

  // `verdict`: an error if the caller is only told why it is refused. Closed wants the
  // same.
  void Opened(const Caller& caller, const absl::Status& verdict);
  void Closed(const Caller& caller, const absl::Status& verdict);

 private:
  prometheus::Gauge& Of(const Caller& caller, const absl::Status& verdict);

  prometheus::Family<prometheus::Gauge>& connections_;
  prometheus::Gauge& root_;
  prometheus::Gauge& administrators_;
  prometheus::Gauge& users_;
  prometheus::Gauge& refused_;
};

}  // namespace svnet
