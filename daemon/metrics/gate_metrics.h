// Gates, counted.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>

#include "absl/strings/string_view.h"

namespace svnet {

// Thread-safe.
class GateMetrics {
 public:
  // `registry` must outlive it.
  explicit GateMetrics(prometheus::Registry* registry);

  enum class Why { kIdle, kDied, kStuck, kProtocol, kRevoked };
  // As the label has it: "idle".
  static absl::string_view NameOf(Why why);

  void Made();
  void Ended(Why why);

  // How many there are.
  int count() const { return static_cast<int>(gates_.Value()); }

 private:
  prometheus::Gauge& gates_;
  std::array<prometheus::Counter*, 5> ended_;  // by Why
};

}  // namespace svnet
