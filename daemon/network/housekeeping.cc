#include "daemon/network/housekeeping.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

namespace svnet {
namespace {

// How long it leaves to calls what they do anyway, however many there are.
constexpr absl::Duration kPatience = absl::Milliseconds(10);
// Before it looks again at a kernel that it cannot hear.
constexpr absl::Duration kDeaf = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<Housekeeping>> Housekeeping::Start(NetworkManager* manager,
                                                                  Coexistence* coexistence) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Housekeeping>(new Housekeeping(manager, coexistence, std::move(stop)));
}

Housekeeping::Housekeeping(NetworkManager* manager, Coexistence* coexistence, UniqueFd stop)
    : manager_(manager),
      coexistence_(coexistence),
      stop_(std::move(stop)),
      attending_([this] { Attend(); }),
      reaping_([this] { Reap(); }),
      coexisting_([this] { Coexist(); }) {}

Housekeeping::~Housekeeping() {
  eventfd_write(stop_.get(), 1);
  manager_->StopWaiting();
  coexistence_->StopWaiting();
  attending_.join();
  reaping_.join();
  coexisting_.join();
}

void Housekeeping::Attend() {
  std::array<pollfd, 2> waits = {
      pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
      pollfd{.fd = manager_->attention_fd(), .events = POLLIN, .revents = 0}};
  while (true) {
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) return;
    absl::Duration waited = absl::ZeroDuration();
    for (absl::Duration busy;
         waited < kPatience && (busy = manager_->BusyFor()) > absl::ZeroDuration();
         waited += busy) {
      if (StopsWithin(busy)) return;
    }
    if (!manager_->Attend() && StopsWithin(kDeaf)) return;
  }
}

bool Housekeeping::StopsWithin(absl::Duration time) const {
  pollfd wait = {.fd = stop_.get(), .events = POLLIN, .revents = 0};
  const timespec timeout = absl::ToTimespec(time);
  return ppoll(&wait, 1, &timeout, nullptr) > 0;
}

void Housekeeping::Reap() {
  while (manager_->WaitForRetired()) manager_->Reap();
}

void Housekeeping::Coexist() {
  while (coexistence_->WaitForWork()) coexistence_->Work();
}

}  // namespace svnet
