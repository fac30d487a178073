#include "daemon/accept/poller.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

absl::Status Control(int epoll, int operation, int fd, Poller::Id id, uint32_t events) {
  epoll_event event = {.events = events, .data = {.u64 = id}};
  if (epoll_ctl(epoll, operation, fd, &event) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "epoll_ctl");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> Poller::Open() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  return std::unique_ptr<Poller>(new Poller(std::move(epoll)));
}

absl::StatusOr<Poller::Id> Poller::Add(int fd, uint32_t events, Handler handler) {
  const Id id = last_id_ + 1;
  SVNET_RETURN_IF_ERROR(Control(epoll_.get(), EPOLL_CTL_ADD, fd, id, events));
  entries_.emplace(id, std::make_shared<Entry>(Entry{.fd = fd, .handler = std::move(handler)}));
  return last_id_ = id;
}

absl::Status Poller::Change(Id id, uint32_t events) {
  return Control(epoll_.get(), EPOLL_CTL_MOD, entries_.at(id)->fd, id, events);
}

void Poller::Remove(Id id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  // To close it would not do, as long as somebody else has it open.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr);
  entries_.erase(found);
}

absl::Status Poller::Wait(absl::Duration timeout) {
  // Rounded up, or what is due in less than a millisecond is waited for in circles.
  const absl::Duration wait = std::clamp(timeout, absl::ZeroDuration(), absl::Minutes(1));
  const int milliseconds =
      static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds);
  if (count < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "epoll_wait");
  for (int i = 0; i < count; ++i) {
    const Id id = events[i].data.u64;  // copied: epoll_event is packed
    const auto found = entries_.find(id);
    if (found == entries_.end()) continue;  // an earlier handler has removed it
    const std::shared_ptr<Entry> entry = found->second;
    entry->handler(events[i].events);
  }
  return absl::OkStatus();
}

}  // namespace svnet
