// Readers of what happens to leases.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/mutex.h"
#include "daemon/base/quota.h"
#include "daemon/network/caller.h"
#include "daemon/network/tap_event.h"

namespace svnet {

// One reader's events, in order. Thread-safe.
class Watch {
 public:
  // `wake` is called when there is something to take after Take found nothing: in any
  // thread, and with locks held, so it must not call Take itself.
  // `network` nullopt: of all networks.
  Watch(const Caller& caller, const std::optional<NetworkName>& network, Quota::Place place,
        std::deque<TapEvent> snapshot, std::function<void()> wake);

  // The next event, the snapshot's first, then kSnapshotEnd; or why there will be none any more;
  // nullopt: not yet.
  std::optional<absl::StatusOr<TapEvent>> Take() ABSL_LOCKS_EXCLUDED(mutex_);

  // The reader takes no more.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // How far a reader may lie behind, besides the snapshot.
  static constexpr size_t kMaxBehind = 4096;

 private:
  friend class Watchers;

  bool MaySee(const TapEvent& event) const;
  void Push(const TapEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);
  // After what is waiting.
  void End(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsClosed() ABSL_LOCKS_EXCLUDED(mutex_);

  const Caller caller_;
  const std::optional<NetworkName> network_;
  const size_t limit_;  // of events_
  Mutex mutex_;
  Quota::Place place_ ABSL_GUARDED_BY(mutex_);          // none: closed
  std::function<void()> wake_ ABSL_GUARDED_BY(mutex_);  // null: closed
  std::deque<TapEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;  // of the event that was taken last
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;   // the reader found nothing
};

// Not thread-safe.
class Watchers {
 public:
  // `snapshot`: what there is, as ADDED. QUOTA_EXCEEDED if the caller, or all callers
  // together, have as many as may be.
  absl::StatusOr<std::shared_ptr<Watch>> Add(const Caller& caller,
                                             const std::optional<NetworkName>& network,
                                             std::deque<TapEvent> snapshot,
                                             std::function<void()> wake);

  // To all readers who may see it. A reader that is too far behind is ended, with
  // RESOURCE_EXHAUSTED; the call waits for none.
  void Publish(const TapEvent& event);

  // Ends all.
  void EndAll(const absl::Status& why);

  // How many are open.
  size_t count() const { return quota_.count(); }

 private:
  void ForgetClosed();

  Quota quota_{"watches of TAPs", Quota::kOfStreams};
  // Those that are open; until the next event, those that were closed since the last.
  std::vector<std::shared_ptr<Watch>> watches_;
};

}  // namespace svnet
