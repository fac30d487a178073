#include "daemon/network/network_member.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/event_sink.h"

namespace svnet {

void NetworkMember::Prepare() {
  if (status_.ok()) network_->Prepare();
}

void NetworkMember::Begin() {
  if (status_.ok()) status_ = network_->Begin();
  started_ = status_.ok();
  if (!started_) Postpone(absl::Status(status_));
}

void NetworkMember::Postpone(const absl::Status& why) {
  const std::string text =
      absl::StrCat("network ", network_->settings().name.text(),
                   " has not started yet: ", why.message(), "; svnetd tries it again by itself");
  const std::optional<Reason> reason = ReasonOf(why);
  status_ = reason.has_value() ? Error(*reason, text) : absl::UnavailableError(text);
  Say(status_);
  retry_ = clock_() + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
}

void NetworkMember::CatchUp(const HostEvents& events) {
  if (!started_) return;
  status_ = network_->CatchUp(events);
  if (status_.ok()) LeaveIfClosed();
}

void NetworkMember::LeaveIfClosed() {
  if (clock_() < leave_) return;
  const absl::Status left = network_->LeaveIfClosed();
  if (!left.ok()) leave_ = clock_() + kLeavePause;
  Say(left);
}

void NetworkMember::Say(const absl::Status& what) {
  if (what == std::exchange(last_said_, what) || what.ok()) return;
  events_->Publish({.type = TapEvent::Type::kFailed,
                    .lease = std::nullopt,
                    .message = std::string(what.message()),
                    .network = network_->settings().name});
}

Condition NetworkMember::NotStarted() const {
  return {.type = "NETWORK_NOT_STARTED",
          .message = std::string(status_.message()),
          .remedy = "",
          .network = network_->settings().name};
}

absl::StatusOr<NetworkStatus> NetworkMember::Observe(bool* looked) {
  if (!started_) {
    NetworkStatus status;
    status.conditions = {NotStarted()};
    return status;
  }
  SVNET_RETURN_IF_ERROR(status_);
  return network_->Observe(looked);
}

absl::StatusOr<std::vector<Condition>> NetworkMember::FindConditions() const {
  if (!started_) return std::vector<Condition>{NotStarted()};
  return network_->FindConditions();
}

NetworkHealth NetworkMember::Health() const {
  if (!started_) return {.network = false, .firewall = false};
  return network_->Health();
}

}  // namespace svnet
