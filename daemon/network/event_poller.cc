#include "daemon/network/event_poller.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "daemon/base/status_macros.h"

namespace svnet {

absl::StatusOr<EventPoller> EventPoller::Create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return absl::ErrnoToStatus(errno, "timerfd_create");
  EventPoller poller(std::move(epoll), std::move(timer));
  SVNET_RETURN_IF_ERROR(poller.Watch(poller.timer_.get(), 0));
  return poller;
}

absl::Status EventPoller::Watch(int fd, uint64_t tag) {
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = tag}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "epoll_ctl");
}

void EventPoller::Unwatch(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void EventPoller::ArmTimer(std::optional<absl::Time> when) {
  if (when == wakes_at_) return;
  wakes_at_ = when;
  itimerspec timer = {};
  // All zeros would be never.
  const absl::Time earliest = absl::UnixEpoch() + absl::Nanoseconds(1);
  if (when.has_value()) timer.it_value = absl::ToTimespec(std::max(*when, earliest));
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &timer, nullptr);
}

std::vector<uint64_t> EventPoller::PollNow() {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(), events.size(), 0);
  std::vector<uint64_t> tags;
  for (int i = 0; i < count; ++i) {
    const uint64_t tag = events[i].data.u64;  // no reference: the struct is packed
    tags.push_back(tag);
  }
  uint64_t expirations = 0;
  if (read(timer_.get(), &expirations, sizeof(expirations)) > 0) wakes_at_.reset();
  return tags;
}

}  // namespace svnet
