// What svnetd does that nobody called for, counted.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/registry.h>

#include <string>

#include "daemon/network/tap_event.h"

namespace svnet {

// Thread-safe.
class EventMetrics {
 public:
  // `registry` must outlive it.
  explicit EventMetrics(prometheus::Registry* registry);

  void Note(const TapEvent& event);

 private:
  prometheus::Counter& RepairsOf(const std::string& of);

  prometheus::Family<prometheus::Counter>& repairs_;
  prometheus::Counter& ended_;
  prometheus::Counter& failures_;
};

}  // namespace svnet
