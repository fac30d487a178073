#include "daemon/network/housekeeping.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

namespace svnet {

absl::StatusOr<std::unique_ptr<Housekeeping>> Housekeeping::Start(NetworkManager* manager) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Housekeeping>(new Housekeeping(manager, std::move(stop)));
}

Housekeeping::Housekeeping(NetworkManager* manager, UniqueFd stop)
    : manager_(manager),
      stop_(std::move(stop)),
      attending_([this] { Attend(); }),
      reaping_([this] { Reap(); }) {}

Housekeeping::~Housekeeping() {
  eventfd_write(stop_.get(), 1);
  manager_->StopWaiting();
  attending_.join();
  reaping_.join();
}

void Housekeeping::Attend() {
  std::array<pollfd, 2> waits = {
      pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
      pollfd{.fd = manager_->attention_fd(), .events = POLLIN, .revents = 0}};
  while (true) {
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) return;
    manager_->Attend();
  }
}

void Housekeeping::Reap() {
  while (manager_->WaitForDying()) manager_->Reap();
}

}  // namespace svnet
