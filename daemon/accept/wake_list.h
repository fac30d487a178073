// How other threads wake the one that serves the gates.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// Thread-safe; never waits, so that it may be called with locks held.
class WakeList {
 public:
  struct Watch {
    uint64_t gate;
    uint64_t call;
  };
  struct News {
    std::vector<Watch> watches;  // that have something to say
    bool resume = false;         // calls that could not go on may try again
  };

  static absl::StatusOr<std::shared_ptr<WakeList>> Open();

  void Wake(const Watch& watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void Resume() ABSL_LOCKS_EXCLUDED(mutex_);

  // Readable when there is something to take.
  int fd() const { return event_.get(); }
  News Take() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit WakeList(UniqueFd event) : event_(std::move(event)) {}

  const UniqueFd event_;
  Mutex mutex_;
  News news_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet
