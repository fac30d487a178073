// Where everything goes that svnetd says of leases: the log, the metrics, and those who watch.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/mutex.h"
#include "daemon/network/caller.h"
#include "daemon/network/tap_event.h"
#include "daemon/network/watchers.h"

namespace svnet {

// Made before whatever publishes. Thread-safe: one lock of its own, which is the last to be taken,
// makes all see events in one order.
class EventSink {
 public:
  using Observer = std::function<void(const TapEvent&)>;

  // Each observer is told of the events that have a message: those that no caller asked for. It
  // must not call back.
  explicit EventSink(std::vector<Observer> observers) : observers_(std::move(observers)) {}

  void Publish(const TapEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);

  // See Watchers.
  absl::StatusOr<std::shared_ptr<Watch>> AddWatch(const Caller& caller,
                                                  const std::optional<NetworkName>& network,
                                                  std::deque<TapEvent> snapshot,
                                                  std::function<void()> wake)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void EndWatches(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t watch_count() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::vector<Observer> observers_;
  Mutex mutex_;
  Watchers watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet
