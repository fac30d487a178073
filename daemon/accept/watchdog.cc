#include "daemon/accept/watchdog.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "absl/status/status.h"
#include "daemon/accept/watchdog_probe.h"

namespace svnet {
namespace {

void Notify(const UniqueFd& event) {
  // It fails only if nobody has read it 2^64 - 2 times, and then it is readable as well.
  [[maybe_unused]] const int error = eventfd_write(event.get(), 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Watchdog>> Watchdog::Start(std::string socket_path,
                                                          absl::Duration limit,
                                                          std::function<void()> on_answer) {
  UniqueFd asked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!asked.valid() || !stop.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Watchdog>(new Watchdog(
      std::move(asked), std::move(stop), std::move(socket_path), limit, std::move(on_answer)));
}

Watchdog::Watchdog(UniqueFd asked, UniqueFd stop, std::string socket_path, absl::Duration limit,
                   std::function<void()> on_answer)
    : asked_(std::move(asked)),
      stop_(std::move(stop)),
      socket_path_(std::move(socket_path)),
      limit_(limit),
      on_answer_(std::move(on_answer)),
      thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  Notify(stop_);
  thread_.join();
}

void Watchdog::Ask() { Notify(asked_); }

void Watchdog::Run() {
  while (WaitUntilAsked()) {
    const absl::Status answer = Probe(socket_path_, limit_, stop_.get());
    // Somebody has removed the socket's file: a restart would not bring systemd's back.
    if (answer.ok() || absl::IsNotFound(answer)) on_answer_();
  }
}

bool Watchdog::WaitUntilAsked() {
  std::array<pollfd, 2> events = {pollfd{.fd = asked_.get(), .events = POLLIN},
                                  pollfd{.fd = stop_.get(), .events = POLLIN}};
  while (events[0].revents == 0 && events[1].revents == 0) poll(events.data(), events.size(), -1);
  eventfd_t times = 0;
  [[maybe_unused]] const int error = eventfd_read(asked_.get(), &times);
  return events[1].revents == 0;
}

}  // namespace svnet
