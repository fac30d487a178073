#include "daemon/network/expiry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/event_poller.h"

namespace svnet {

Expiry::Expiry(Kernel* kernel, EventPoller* poller) : kernel_(*kernel), poller_(*poller) {}

Expiry::~Expiry() {
  for (auto& [tap, record] : records_) CloseProcess(&record);
}

std::optional<absl::Time> Expiry::Record::EndsAt() const {
  // A VMM that still holds the TAP is never cut off.
  if (attached) return std::nullopt;
  if (std::holds_alternative<BoundToProcess>(lifetime)) {
    return pidfd.valid() ? std::nullopt : std::make_optional(std::max(idle_since, not_before));
  }
  const auto* detached = std::get_if<UntilDetached>(&lifetime);
  if (detached == nullptr || !was_attached) return std::nullopt;
  return std::max(idle_since + detached->grace, not_before);
}

absl::StatusOr<Process> Expiry::OpenProcessFor(const Caller& caller, const Lifetime& lifetime) {
  const auto* bound = std::get_if<BoundToProcess>(&lifetime);
  if (bound == nullptr) return Process();
  const auto refuse = [&](absl::string_view why) {
    return Error(Reason::kInvalidRequest,
                 absl::StrCat("lifetime.process.pid ", bound->pid, ": ", why));
  };
  if (!caller.shares_pids) {
    return refuse("the caller is in a pid namespace of its own, or is gone: use until_detached");
  }
  absl::StatusOr<Process> process = kernel_.OpenProcess(bound->pid);
  if (!process.ok()) return refuse(process.status().message());
  if (process->uid != caller.uid && !caller.administrator) {
    return refuse("the process is another user's");
  }
  return process;
}

void Expiry::Add(const Lease& lease, Process process, absl::Time now) {
  if (std::holds_alternative<Persistent>(lease.spec.lifetime)) return;
  const Ifindex tap = lease.state.ifindex;
  Remove(tap);
  Record& record = records_[tap];
  record.lifetime = lease.spec.lifetime;
  record.attached = lease.state.attached;
  record.was_attached = lease.state.was_attached;
  record.idle_since = now;
  const bool lives =
      process.pidfd.valid() && poller_.Watch(process.pidfd.get(), static_cast<uint64_t>(tap)).ok();
  if (lives) record.pidfd = std::move(process.pidfd);
  Update(tap, &record);
}

void Expiry::Adopt(const Lease& lease, absl::Time now) {
  Process process;
  if (const auto* bound = std::get_if<BoundToProcess>(&lease.spec.lifetime)) {
    absl::StatusOr<Process> found = kernel_.OpenProcess(bound->pid);
    if (found.ok() && found->start_time == bound->start_time) process = *std::move(found);
  }
  Add(lease, std::move(process), now);
}

void Expiry::Remove(Ifindex tap) {
  Record* record = Find(tap);
  if (record == nullptr) return;
  Unschedule(tap, record);
  CloseProcess(record);
  records_.erase(tap);
}

void Expiry::SetAttached(Ifindex tap, bool attached, absl::Time now) {
  Record* record = Find(tap);
  if (record == nullptr) return;
  record->attached = attached;
  record->was_attached = true;
  record->idle_since = now;
  Update(tap, record);
}

void Expiry::NoteEnded(const std::vector<uint64_t>& tags, absl::Time now) {
  for (const uint64_t tag : tags) {
    const auto tap = static_cast<Ifindex>(tag);
    Record* record = Find(tap);
    if (record == nullptr || !record->pidfd.valid()) continue;
    CloseProcess(record);
    record->idle_since = now;
    Update(tap, record);
  }
}

void Expiry::PutOff(Ifindex tap, absl::Time until) {
  Record* record = Find(tap);
  if (record == nullptr) return;
  record->not_before = until;
  Update(tap, record);
}

std::vector<Ifindex> Expiry::Due(absl::Time now) const {
  std::vector<Ifindex> due;
  for (const auto& [end, tap] : ending_) {
    if (end > now) break;
    due.push_back(tap);
  }
  std::sort(due.begin(), due.end());
  return due;
}

std::optional<absl::Time> Expiry::NextDue() const {
  if (ending_.empty()) return std::nullopt;
  return ending_.begin()->first;
}

absl::StatusOr<bool> Expiry::IsHeld(const Lease& lease, const Link& link, UniqueFd* hold) {
  if (link.open_queues.has_value()) return *link.open_queues > 0;
  SVNET_ASSIGN_OR_RETURN(std::optional<UniqueFd> held_by_us,
                         kernel_.HoldTap(lease.spec.tap, lease.state.ifindex));
  if (!held_by_us.has_value()) return true;
  *hold = *std::move(held_by_us);
  return false;
}

Expiry::Record* Expiry::Find(Ifindex tap) {
  const auto found = records_.find(tap);
  return found == records_.end() ? nullptr : &found->second;
}

void Expiry::Update(Ifindex tap, Record* record) {
  Unschedule(tap, record);
  record->noted = record->EndsAt();
  if (record->noted.has_value()) ending_.emplace(*record->noted, tap);
}

void Expiry::Unschedule(Ifindex tap, Record* record) {
  if (record->noted.has_value()) ending_.erase({*record->noted, tap});
  record->noted.reset();
}

void Expiry::CloseProcess(Record* record) {
  if (!record->pidfd.valid()) return;
  poller_.Unwatch(record->pidfd.get());
  record->pidfd = UniqueFd();
}

}  // namespace svnet
