// One descriptor that is readable when something wants attention.
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

// Descriptors and a time, in one epoll set (epoll(7)). Not thread-safe, but another
// thread may wait for fd().
class Attention {
 public:
  static absl::StatusOr<Attention> Create();

  int fd() const { return epoll_.get(); }

  // `tag` is what Take says of it; 0 is the time's.
  absl::Status Watch(int fd, uint64_t tag);
  // Before it is closed.
  void Unwatch(int fd);
  // As MonotonicNow has it; nullopt: never.
  void WakeAt(std::optional<absl::Time> when);

  // What is readable now, or over.
  std::vector<uint64_t> Take();

 private:
  Attention(UniqueFd epoll, UniqueFd timer) : epoll_(std::move(epoll)), timer_(std::move(timer)) {}

  UniqueFd epoll_;
  UniqueFd timer_;
  std::optional<absl::Time> wakes_at_;
};

}  // namespace svnet
