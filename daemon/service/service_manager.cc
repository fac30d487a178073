#include "daemon/service/service_manager.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// Of the time after which the watchdog gives svnetd up: one late answer is none.
constexpr uint64_t kPingsPerWatchdogTime = 4;

absl::StatusOr<UniqueFd> OpenSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid() || sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "signalfd");
  }
  signal(SIGPIPE, SIG_IGN);  // a caller who hangs up is an error like any other
  return fd;
}

absl::StatusOr<UniqueFd> OpenTimer() {
  UniqueFd fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "timerfd_create");
  return fd;
}

absl::StatusOr<UniqueFd> OpenWatchdogTimer() {
  SVNET_ASSIGN_OR_RETURN(UniqueFd fd, OpenTimer());
  uint64_t watchdog = 0;  // microseconds
  if (sd_watchdog_enabled(0, &watchdog) <= 0) return fd;
  const uint64_t period = watchdog / kPingsPerWatchdogTime;
  const timespec time = {.tv_sec = static_cast<time_t>(period / 1'000'000),
                         .tv_nsec = static_cast<long>(period % 1'000'000) * 1000};
  const itimerspec timer = {.it_interval = time, .it_value = time};
  if (timerfd_settime(fd.get(), 0, &timer, nullptr) == 0) return fd;
  return absl::ErrnoToStatus(errno, "timerfd_settime");
}

absl::Status Watch(const UniqueFd& epoll, const UniqueFd& fd) {
  epoll_event event = {.events = EPOLLIN, .data = {.fd = fd.get()}};
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "epoll_ctl");
}

uint64_t MonotonicMicroseconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace

absl::StatusOr<ServiceManager> ServiceManager::Open() {
  SVNET_ASSIGN_OR_RETURN(UniqueFd signals, OpenSignals());
  SVNET_ASSIGN_OR_RETURN(UniqueFd timer, OpenWatchdogTimer());
  SVNET_ASSIGN_OR_RETURN(UniqueFd alarm, OpenTimer());
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  SVNET_RETURN_IF_ERROR(Watch(epoll, signals));
  SVNET_RETURN_IF_ERROR(Watch(epoll, timer));
  SVNET_RETURN_IF_ERROR(Watch(epoll, alarm));
  return ServiceManager(std::move(epoll), std::move(signals), std::move(timer), std::move(alarm));
}

ServiceManager::Request ServiceManager::Next() {
  signalfd_siginfo signal = {};
  if (read(signals_.get(), &signal, sizeof(signal)) == sizeof(signal)) {
    return signal.ssi_signo == SIGHUP ? Request::kReload : Request::kStop;
  }
  uint64_t times = 0;
  if (read(timer_.get(), &times, sizeof(times)) == sizeof(times)) return Request::kPing;
  if (read(alarm_.get(), &times, sizeof(times)) == sizeof(times)) return Request::kAlarm;
  return Request::kNothing;
}

void ServiceManager::SetAlarm(std::optional<absl::Time> time) {
  // A time that is all zero disarms the timer; svnetd's clock never shows that.
  itimerspec timer = {};
  if (time.has_value()) timer.it_value = absl::ToTimespec(*time);
  timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &timer, nullptr);
}

void ServiceManager::Say(const std::string& text) { sd_notifyf(0, "STATUS=%s", text.c_str()); }

void ServiceManager::Ready() { sd_notify(0, "READY=1"); }

void ServiceManager::Reloading() {
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
             static_cast<unsigned long long>(MonotonicMicroseconds()));
}

void ServiceManager::Stopping() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  sd_notify(0, "STOPPING=1");
}

void ServiceManager::Alive() { sd_notify(0, "WATCHDOG=1"); }

}  // namespace svnet
