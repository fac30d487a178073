#include "client/lifetime.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace svnet::client {
namespace {

constexpr absl::string_view kUntilDetached = "until-detached";

absl::Status NotALifetime(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text,
                   "' is not a lifetime; use persistent, process:PID, until-detached or "
                   "until-detached:GRACE (10, 10s, 1m)"));
}

// nullopt if it is not a duration, or too long for a protobuf Duration.
absl::optional<absl::Duration> ParseGrace(absl::string_view text) {
  int32_t seconds;
  if (absl::SimpleAtoi(text, &seconds)) return absl::Seconds(seconds);
  absl::Duration grace;
  if (!absl::ParseDuration(text, &grace) || grace > absl::Hours(24 * 365)) return absl::nullopt;
  return grace;
}

void SetGrace(absl::Duration grace, google::protobuf::Duration* duration) {
  duration->set_seconds(absl::IDivDuration(grace, absl::Seconds(1), &grace));
  duration->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(grace)));
}

absl::Duration GraceOf(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace

absl::StatusOr<v1::Lifetime> ParseLifetime(const std::string& text) {
  v1::Lifetime lifetime;
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  int32_t pid;
  if (text == "persistent") {
    lifetime.mutable_persistent();
    return lifetime;
  }
  if (parts.first == "process" && absl::SimpleAtoi(parts.second, &pid) && pid > 0) {
    lifetime.mutable_process()->set_pid(pid);
    return lifetime;
  }
  if (text == kUntilDetached) {
    lifetime.mutable_until_detached();
    return lifetime;
  }
  const absl::optional<absl::Duration> grace = ParseGrace(parts.second);
  if (parts.first != kUntilDetached || !grace.has_value() || *grace < absl::ZeroDuration()) {
    return NotALifetime(text);
  }
  SetGrace(*grace, lifetime.mutable_until_detached()->mutable_grace());
  return lifetime;
}

std::string FormatLifetime(const v1::Lifetime& lifetime) {
  if (lifetime.has_process()) return absl::StrCat("process:", lifetime.process().pid());
  if (!lifetime.has_until_detached()) return "persistent";
  if (!lifetime.until_detached().has_grace()) return std::string(kUntilDetached);
  return absl::StrCat(kUntilDetached, ":",
                      absl::FormatDuration(GraceOf(lifetime.until_detached().grace())));
}

}  // namespace svnet::client
