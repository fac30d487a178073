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

  // That network has its counters from here on, with 0.
  void Begin(const NetworkName& network) const;
  void Note(const TapEvent& event) const;

 private:
  using Family = prometheus::Family<prometheus::Counter>;

  prometheus::Counter& RepairsOf(const NetworkName& network, const std::string& of) const;

  Family& repairs_;
  Family& ended_;
  Family& failures_;
};

}  // namespace svnet
