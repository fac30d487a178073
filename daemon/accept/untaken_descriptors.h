// Descriptors that were sent, and that their callers have not taken.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>

#include "absl/status/status.h"

namespace svnet {

// The kernel keeps them open, and lets svnetd send only so many (unix(7), ETOOMANYREFS): each uid
// may have a part of that. Not thread-safe. Pure.
class UntakenDescriptors {
 public:
  static constexpr size_t kMostOfOneUid = 512;
  static constexpr size_t kMostOfAll = 4096;

  // QUOTA_EXCEEDED if so many more are too many.
  absl::Status CheckRoomFor(uid_t uid, size_t more) const;

  void Add(uid_t uid, size_t count);
  // As many as were added, at most.
  void Remove(uid_t uid, size_t count);

 private:
  std::map<uid_t, size_t> counts_;  // of those who have some
  size_t all_ = 0;
};

}  // namespace svnet
