// One descriptor that is readable when there are events to handle.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// Descriptors and a timer in one epoll set (epoll(7)). Not thread-safe, but another thread may
// wait for fd().
class EventPoller {
 public:
  static absl::StatusOr<EventPoller> Create();

  int fd() const { return epoll_.get(); }

  // PollNow returns `tag` when `fd` is readable; 0 is the timer's tag.
  absl::Status Watch(int fd, uint64_t tag);
  // Call it before `fd` is closed.
  void Unwatch(int fd);
  // In the time of MonotonicNow; nullopt: never.
  void ArmTimer(std::optional<absl::Time> when);

  // The tags of what is readable now, and of the timer if it has expired. Does not wait.
  std::vector<uint64_t> PollNow();

 private:
  EventPoller(UniqueFd epoll, UniqueFd timer)
      : epoll_(std::move(epoll)), timer_(std::move(timer)) {}

  UniqueFd epoll_;
  UniqueFd timer_;
  std::optional<absl::Time> wakes_at_;
};

}  // namespace svnet
