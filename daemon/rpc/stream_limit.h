// How many streams of a kind may be open.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "daemon/base/mutex.h"
#include "daemon/network/caller.h"

namespace svnet {

// Thread-safe.
class StreamLimit {
 public:
  // QUOTA_EXCEEDED if the caller, or all callers together, have as many as may be. If OK,
  // Leave must follow.
  absl::Status Enter(const Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);

  static constexpr size_t kMaxOfOneUid = 16;  // administrators: any number
  static constexpr size_t kMax = 1024;

 private:
  Mutex mutex_;
  std::map<uid_t, size_t> of_uid_ ABSL_GUARDED_BY(mutex_);
  size_t all_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace svnet
