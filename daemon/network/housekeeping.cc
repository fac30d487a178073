#include "daemon/network/housekeeping.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/network_registry.h"
#include "daemon/network/reap_worker.h"

namespace svnet {
namespace {

// The longest time for which events are left to calls, one after the other, and how often it looks
// whether the last one has ended.
constexpr absl::Duration kMaxDeferral = absl::Milliseconds(10);
constexpr absl::Duration kLook = absl::Milliseconds(1);
// Before it reads again all from a kernel that it cannot hear.
constexpr absl::Duration kMonitorRetry = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<Housekeeping>> Housekeeping::Start(
    NetworkRegistry* registry, const std::vector<Reaper*>& reapers,
    ForeignFirewallReconciler* foreign) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Housekeeping>(
      new Housekeeping(registry, reapers, foreign, std::move(stop)));
}

Housekeeping::Housekeeping(NetworkRegistry* registry, const std::vector<Reaper*>& reapers,
                           ForeignFirewallReconciler* foreign, UniqueFd stop)
    : registry_(registry),
      foreign_(foreign),
      stop_(std::move(stop)),
      handling_([this] { HandleEvents(); }),
      reconciling_([this] { ReconcileForeignFirewalls(); }) {
  for (Reaper* reaper : reapers) reaping_.emplace_back([this, reaper] { Reap(reaper); });
}

Housekeeping::~Housekeeping() {
  eventfd_write(stop_.get(), 1);
  registry_->StopWaiting();
  foreign_->StopWaiting();
  handling_.join();
  for (std::thread& reaping : reaping_) reaping.join();
  reconciling_.join();
}

void Housekeeping::HandleEvents() {
  std::array<pollfd, 2> waits = {
      pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
      pollfd{.fd = registry_->event_fd(), .events = POLLIN, .revents = 0}};
  while (true) {
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0 || !WaitUntilIdle()) return;
    if (!registry_->HandleEvents() && StopsWithin(kMonitorRetry)) return;
  }
}

bool Housekeeping::WaitUntilIdle() const {
  absl::Duration waited = absl::ZeroDuration();
  while (waited < kMaxDeferral) {
    const absl::Duration left = std::min(registry_->TimeUntilIdle(), kLook);
    if (left <= absl::ZeroDuration()) return true;
    if (StopsWithin(left)) return false;
    waited += left;
  }
  return true;
}

bool Housekeeping::StopsWithin(absl::Duration time) const {
  pollfd wait = {.fd = stop_.get(), .events = POLLIN, .revents = 0};
  const timespec timeout = absl::ToTimespec(time);
  return ppoll(&wait, 1, &timeout, nullptr) > 0;
}

void Housekeeping::Reap(Reaper* reaper) const {
  ReapWorker worker(registry_, reaper);
  while (worker.ReapNext()) {
  }
}

void Housekeeping::ReconcileForeignFirewalls() {
  while (foreign_->WaitForWork()) registry_->NoteForeignFirewalls(foreign_->RunOnce());
}

}  // namespace svnet
