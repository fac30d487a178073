#include "daemon/network/lifetimes.h"

#include <algorithm>

namespace svnet {

std::optional<absl::Time> Lifetimes::Waiting::EndsAt() const {
  // A VMM that still holds the TAP is never cut off.
  if (attached) return std::nullopt;
  if (std::holds_alternative<BoundToProcess>(lifetime)) {
    return process_lives ? std::nullopt : std::make_optional(std::max(idle_since, not_before));
  }
  const auto* detached = std::get_if<UntilDetached>(&lifetime);
  if (detached == nullptr || !was_attached) return std::nullopt;
  return std::max(idle_since + detached->grace, not_before);
}

void Lifetimes::Add(const Lease& lease, bool bound_process_lives, absl::Time now) {
  if (std::holds_alternative<Persistent>(lease.lifetime)) return;
  waiting_.insert_or_assign(lease.ifindex, Waiting{.lifetime = lease.lifetime,
                                                   .attached = lease.attached,
                                                   .was_attached = lease.was_attached,
                                                   .process_lives = bound_process_lives,
                                                   .idle_since = now});
  Settle(lease.ifindex);
}

void Lifetimes::Remove(Ifindex tap) {
  waiting_.erase(tap);
  ending_.erase(tap);
}

void Lifetimes::SetAttached(Ifindex tap, bool attached, absl::Time now) {
  const auto found = waiting_.find(tap);
  if (found == waiting_.end()) return;
  found->second.attached = attached;
  found->second.was_attached = true;
  found->second.idle_since = now;
  Settle(tap);
}

void Lifetimes::ProcessEnded(Ifindex tap, absl::Time now) {
  const auto found = waiting_.find(tap);
  if (found == waiting_.end()) return;
  found->second.process_lives = false;
  found->second.idle_since = now;
  Settle(tap);
}

void Lifetimes::PutOff(Ifindex tap, absl::Time until) {
  const auto found = waiting_.find(tap);
  if (found == waiting_.end()) return;
  found->second.not_before = until;
  Settle(tap);
}

void Lifetimes::Settle(Ifindex tap) {
  if (waiting_.at(tap).EndsAt().has_value()) {
    ending_.insert(tap);
  } else {
    ending_.erase(tap);
  }
}

std::vector<Ifindex> Lifetimes::Due(absl::Time now) const {
  std::vector<Ifindex> due;
  for (const Ifindex tap : ending_) {
    if (*waiting_.at(tap).EndsAt() <= now) due.push_back(tap);
  }
  std::sort(due.begin(), due.end());
  return due;
}

std::optional<absl::Time> Lifetimes::NextDue() const {
  std::optional<absl::Time> next;
  for (const Ifindex tap : ending_) {
    const absl::Time end = *waiting_.at(tap).EndsAt();
    if (!next.has_value() || end < *next) next = end;
  }
  return next;
}

}  // namespace svnet
