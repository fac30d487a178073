#include "daemon/service/attempts.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace svnet {

void Attempts::Begin(Attempt attempt) {
  Failed failed = {.attempt = std::move(attempt), .pause = kFirstPause, .due = clock_()};
  if (!Try(&failed)) failed_.push_back(std::move(failed));
}

void Attempts::RunDue() {
  const absl::Time now = clock_();
  failed_.remove_if([&](Failed& failed) { return failed.due <= now && Try(&failed); });
}

std::optional<absl::Time> Attempts::NextDue() const {
  std::optional<absl::Time> next;
  for (const Failed& failed : failed_) next = Earlier(next, failed.due);
  return next;
}

bool Attempts::Try(Failed* failed) {
  const Attempt& attempt = failed->attempt;
  const absl::Status status = attempt.run();
  if (status.ok()) {
    if (!failed->last_error.empty()) spdlog::info("{} is over", attempt.condition);
    board_->Clear(attempt.condition);
    return true;
  }
  const std::string error = absl::StrCat(attempt.what, ": ", status.message());
  if (error != failed->last_error) {
    spdlog::log(attempt.level, "{} (svnetd tries again by itself)", error);
    board_->Set({.type = attempt.condition, .message = error, .remedy = attempt.remedy});
  }
  failed->last_error = error;
  failed->due = clock_() + failed->pause;
  failed->pause = std::min(2 * failed->pause, kLongestPause);
  return false;
}

}  // namespace svnet
