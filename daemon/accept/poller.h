// Waits for descriptors.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// epoll(7), by numbers: a descriptor's number is used again, perhaps while an event of the
// last one's is still on its way; these are not. Not thread-safe.
class Poller {
 public:
  using Id = uint64_t;  // 1 and upward
  // `events` as epoll_wait has them. It may add and remove what it likes, itself too.
  using Handler = std::function<void(uint32_t events)>;

  static absl::StatusOr<std::unique_ptr<Poller>> Open();

  // `fd` must stay open until Remove.
  absl::StatusOr<Id> Add(int fd, uint32_t events, Handler handler);
  absl::Status Change(Id id, uint32_t events);
  // Nothing if there is none. No handler of it runs after this.
  void Remove(Id id);

  // Waits no longer than `timeout` (at most a minute), and has what is there handled, each
  // descriptor once, in turn.
  absl::Status Wait(absl::Duration timeout);

 private:
  struct Entry {
    int fd;
    Handler handler;
  };

  explicit Poller(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  const UniqueFd epoll_;
  // Shared, because a handler may remove itself.
  std::unordered_map<Id, std::shared_ptr<Entry>> entries_;
  Id last_id_ = 0;
};

}  // namespace svnet
