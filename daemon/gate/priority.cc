#include "daemon/gate/priority.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/gate/confinement.h"

namespace svnet {
namespace {

constexpr suseconds_t kTick = 20'000;  // microseconds

absl::Duration CpuTime() {
  timespec used = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return absl::DurationFromTimespec(used);
}

// SIGPROF as a descriptor: no thread is interrupted. All threads inherit that it is blocked.
absl::StatusOr<UniqueFd> OpenTicks() {
  sigset_t tick;
  sigemptyset(&tick);
  sigaddset(&tick, SIGPROF);
  if (sigprocmask(SIG_BLOCK, &tick, nullptr) != 0) return absl::ErrnoToStatus(errno, "sigprocmask");
  UniqueFd fd(signalfd(-1, &tick, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "signalfd");
  return fd;
}

}  // namespace

bool CpuBudget::IsOverdrawn(const Use& use) {
  const Use last = std::exchange(last_, use);
  owed_ += (use.cpu - last.cpu) - kOfMessage * (use.messages - last.messages) -
           kFreeShare * (use.now - last.now);
  // Nothing is saved for later.
  owed_ = std::max(owed_, absl::ZeroDuration());
  return owed_ >= kBurst;
}

Priority::Priority(UniqueFd ticks)
    : ticks_(std::move(ticks)), budget_({.now = MonotonicNow(), .cpu = CpuTime()}) {}

absl::StatusOr<Priority> Priority::Start() {
  // Nice values are the threads' own, and only a group's are set in one call.
  if (getpgrp() != getpid() && setpgid(0, 0) != 0) return absl::ErrnoToStatus(errno, "setpgid");
  absl::StatusOr<UniqueFd> ticks = OpenTicks();
  if (!ticks.ok()) return ticks.status();
  // With sanitizers a call takes many times as long.
  constexpr itimerval kTimer = {.it_interval = {.tv_sec = 0, .tv_usec = kTick},
                                .it_value = {.tv_sec = 0, .tv_usec = kTick}};
  if (kConfinesSystemCalls && setitimer(ITIMER_PROF, &kTimer, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "setitimer");
  }
  return Priority(*std::move(ticks));
}

void Priority::Update(uint64_t messages) {
  signalfd_siginfo tick;
  while (read(ticks_.get(), &tick, sizeof(tick)) > 0) {
  }
  is_lowered_ |= budget_.IsOverdrawn({MonotonicNow(), CpuTime(), messages});
  // Again and again: a thread may have begun at the very moment when the others were lowered.
  if (is_lowered_) setpriority(PRIO_PGRP, 0, kLowestNice);
}

}  // namespace svnet
