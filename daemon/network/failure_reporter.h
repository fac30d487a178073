// Says what svnetd could not do, each thing once in a row.
#pragma once

#include <string>
#include <utility>

#include "daemon/network/event_sink.h"

namespace svnet {

// Not thread-safe.
class FailureReporter {
 public:
  // `events` must outlive it.
  FailureReporter(const NetworkName& network, EventSink* events)
      : network_(network), events_(events) {}

  // Publishes it, unless it was the last thing that was reported.
  void Report(const std::string& what) {
    if (std::exchange(last_, what) == what) return;
    events_->Publish({.type = TapEvent::Type::kFailed,
                      .lease = std::nullopt,
                      .message = what,
                      .repaired = {},
                      .network = network_});
  }

 private:
  const NetworkName network_;
  EventSink* const events_;
  std::string last_;
};

}  // namespace svnet
