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
  if (std::holds_alternative<Persistent>(lease.spec.lifetime)) return;
  Remove(lease.state.ifindex);
  Waiting& waiting = waiting_[lease.state.ifindex];
  waiting = {.lifetime = lease.spec.lifetime,
             .attached = lease.state.attached,
             .was_attached = lease.state.was_attached,
             .process_lives = bound_process_lives,
             .idle_since = now};
  Settle(lease.state.ifindex, &waiting, waiting.EndsAt());
}

void Lifetimes::Remove(Ifindex tap) {
  const auto found = waiting_.find(tap);
  if (found == waiting_.end()) return;
  Settle(tap, &found->second, std::nullopt);
  waiting_.erase(found);
}

void Lifetimes::SetAttached(Ifindex tap, bool attached, absl::Time now) {
  const auto found = waiting_.find(tap);
  if (found == waiting_.end()) return;
  found->second.attached = attached;
  found->second.was_attached = true;
  found->second.idle_since = now;
  Settle(tap, &found->second, found->second.EndsAt());
}

void Lifetimes::ProcessEnded(Ifindex tap, absl::Time now) {
  const auto found = waiting_.find(tap);
  if (found == waiting_.end()) return;
  found->second.process_lives = false;
  found->second.idle_since = now;
  Settle(tap, &found->second, found->second.EndsAt());
}

void Lifetimes::PutOff(Ifindex tap, absl::Time until) {
  const auto found = waiting_.find(tap);
  if (found == waiting_.end()) return;
  found->second.not_before = until;
  Settle(tap, &found->second, found->second.EndsAt());
}

void Lifetimes::Settle(Ifindex tap, Waiting* waiting, std::optional<absl::Time> end) {
  if (waiting->noted.has_value()) ending_.erase({*waiting->noted, tap});
  waiting->noted = end;
  if (end.has_value()) ending_.emplace(*end, tap);
}

std::vector<Ifindex> Lifetimes::Due(absl::Time now) const {
  std::vector<Ifindex> due;
  for (const auto& [end, tap] : ending_) {
    if (end > now) break;
    due.push_back(tap);
  }
  std::sort(due.begin(), due.end());
  return due;
}

std::optional<absl::Time> Lifetimes::NextDue() const {
  if (ending_.empty()) return std::nullopt;
  return ending_.begin()->first;
}

}  // namespace svnet
