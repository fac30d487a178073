#include "daemon/network/watchers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/authorizer.h"

namespace svnet {

Watch::Watch(const Caller& caller, const std::optional<NetworkName>& network, Quota::Place place,
             std::deque<TapEvent> snapshot, std::function<void()> wake)
    : caller_(caller),
      network_(network),
      limit_(snapshot.size() + 1 + kMaxBehind),
      place_(std::move(place)),
      wake_(std::move(wake)),
      events_(std::move(snapshot)) {
  events_.push_back({.type = TapEvent::Type::kSnapshotEnd, .lease = std::nullopt, .message = {}});
  for (TapEvent& event : events_) event.time = absl::Now();
}

std::optional<absl::StatusOr<TapEvent>> Watch::Take() {
  MutexLock lock(&mutex_);
  if (!events_.empty()) {
    TapEvent event = std::move(events_.front());
    events_.pop_front();
    event.sequence = ++sequence_;
    return event;
  }
  if (end_.has_value()) return absl::StatusOr<TapEvent>(*end_);
  waiting_ = true;
  return std::nullopt;
}

void Watch::Close() {
  MutexLock lock(&mutex_);
  wake_ = nullptr;
  place_ = Quota::Place();
  events_.clear();
}

bool Watch::IsClosed() {
  MutexLock lock(&mutex_);
  return wake_ == nullptr || end_.has_value();
}

// Events about a network are for all.
bool Watch::MaySee(const TapEvent& event) const {
  if (network_.has_value() && *network_ != NetworkOf(event)) return false;
  return !event.lease.has_value() || Authorizer(caller_).CanActFor(event.lease->spec.key.owner);
}

void Watch::Push(const TapEvent& event) {
  MutexLock lock(&mutex_);
  if (wake_ == nullptr || end_.has_value()) return;
  if (events_.size() < limit_) {
    events_.push_back(event);
    events_.back().time = absl::Now();
  } else {
    events_.clear();
    end_ = Error(Reason::kQuotaExceeded, absl::StrCat("more than ", kMaxBehind,
                                                      " events wait to be read: watch again, "
                                                      "and read faster"));
  }
  if (std::exchange(waiting_, false)) wake_();
}

void Watch::End(const absl::Status& why) {
  MutexLock lock(&mutex_);
  if (wake_ == nullptr || end_.has_value()) return;
  end_ = why;
  if (std::exchange(waiting_, false)) wake_();
}

absl::StatusOr<std::shared_ptr<Watch>> Watchers::Add(const Caller& caller,
                                                     const std::optional<NetworkName>& network,
                                                     std::deque<TapEvent> snapshot,
                                                     std::function<void()> wake) {
  SVNET_ASSIGN_OR_RETURN(Quota::Place place, quota_.Enter(caller.uid, caller.administrator));
  // Not each time: that would make each new watch pay for all that are open.
  if (watches_.size() >= 2 * quota_.count()) ForgetClosed();
  watches_.push_back(std::make_shared<Watch>(caller, network, std::move(place), std::move(snapshot),
                                             std::move(wake)));
  return watches_.back();
}

void Watchers::Publish(const TapEvent& event) {
  if (event.type == TapEvent::Type::kFailed || event.type == TapEvent::Type::kNoted ||
      event.type == TapEvent::Type::kCondition) {
    return;
  }
  for (const std::shared_ptr<Watch>& watch : watches_) {
    if (watch->MaySee(event)) watch->Push(event);
  }
  ForgetClosed();
}

void Watchers::EndAll(const absl::Status& why) {
  for (const std::shared_ptr<Watch>& watch : watches_) watch->End(why);
  watches_.clear();
}

void Watchers::ForgetClosed() {
  std::erase_if(watches_, [](const auto& watch) { return watch->IsClosed(); });
}

}  // namespace svnet
