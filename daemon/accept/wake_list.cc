#include "daemon/accept/wake_list.h"

#include <sys/eventfd.h>

#include <cerrno>

namespace svnet {

absl::StatusOr<std::shared_ptr<WakeList>> WakeList::Open() {
  UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::shared_ptr<WakeList>(new WakeList(std::move(event)));
}

void WakeList::Wake(const Watch& watch) {
  MutexLock lock(&mutex_);
  news_.watches.push_back(watch);
  eventfd_write(event_.get(), 1);
}

void WakeList::Resume() {
  MutexLock lock(&mutex_);
  news_.resume = true;
  eventfd_write(event_.get(), 1);
}

WakeList::News WakeList::Take() {
  MutexLock lock(&mutex_);
  eventfd_t count = 0;
  eventfd_read(event_.get(), &count);
  return std::exchange(news_, News());
}

}  // namespace svnet
