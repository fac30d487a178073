#include "daemon/accept/admission_control.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/accept/caller_identity.h"
#include "daemon/accept/refusal_log.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"

namespace svnet {

absl::StatusOr<std::unique_ptr<AdmissionControl>> AdmissionControl::Create(
    LimitedLog* log, const AdmissionRules& rules, const ConnectionLimits& limits) {
  UniqueFd arrived(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!arrived.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<AdmissionControl>(
      new AdmissionControl(log, std::move(arrived), rules, limits));
}

AdmissionControl::AdmissionControl(LimitedLog* log, UniqueFd arrived, const AdmissionRules& rules,
                                   const ConnectionLimits& limits)
    : log_(log),
      arrived_(std::move(arrived)),
      rules_(std::make_shared<const AdmissionRules>(rules)),
      counts_(limits) {}

std::vector<AdmissionControl::Arrival> AdmissionControl::Take() {
  MutexLock lock(&mutex_);
  eventfd_t count = 0;
  eventfd_read(arrived_.get(), &count);
  return std::exchange(arrivals_, {});
}

void AdmissionControl::Release(const Caller& caller, const absl::Status& verdict) {
  MutexLock lock(&mutex_);
  counts_.Remove(caller, verdict);
}

void AdmissionControl::ChangeRules(const AdmissionRules& rules, const ConnectionLimits& limits) {
  MutexLock lock(&mutex_);
  rules_ = std::make_shared<const AdmissionRules>(rules);
  counts_.ChangeLimits(limits);
}

AdmissionControl::Rules AdmissionControl::rules() {
  MutexLock lock(&mutex_);
  return rules_;
}

absl::Status AdmissionControl::Admit(UniqueFd fd) {
  Arrival arrival = {.since = MonotonicNow()};
  SVNET_ASSIGN_OR_RETURN(arrival.peer, IdentifyCaller(fd.get()));
  arrival.fd = std::move(fd);
  // Once more only if the rules have changed meanwhile.
  while (true) {
    const Rules rules = this->rules();
    arrival.admission = svnet::Admit(arrival.peer, *rules);
    arrival.verdict = arrival.admission.verdict;
    if (!Count(&arrival)) return absl::OkStatus();
    // Only now: it costs more than all the rest.
    if (arrival.verdict.ok()) {
      arrival.peer.shares_pids = SharesPids(arrival.fd.get());
      arrival.admission.caller.shares_pids = arrival.peer.shares_pids;
    }
    if (Announce(&arrival, rules)) return absl::OkStatus();
  }
}

bool AdmissionControl::Count(Arrival* arrival) {
  {
    MutexLock lock(&mutex_);
    if (counts_.Add(arrival->admission, &arrival->verdict, arrival->since)) return true;
    if (!arrival->verdict.ok()) return false;
  }
  const uid_t uid = arrival->peer.uid;
  LogTurnedAway(log_, uid, [&] {
    MutexLock lock(&mutex_);
    return absl::StrCat("uid ", uid, " is turned away: there are ", counts_.ToString());
  });
  return false;
}

bool AdmissionControl::Announce(Arrival* arrival, const Rules& rules) {
  MutexLock lock(&mutex_);
  if (rules != rules_) {
    counts_.Remove(arrival->caller(), arrival->verdict);
    return false;
  }
  arrivals_.push_back(std::move(*arrival));
  eventfd_write(arrived_.get(), 1);
  return true;
}

}  // namespace svnet
