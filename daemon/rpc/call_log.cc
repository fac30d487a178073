#include "daemon/rpc/call_log.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/error.h"

namespace svnet {
namespace {

bool IsRead(absl::string_view method) {
  return absl::StartsWith(method, "Get") || absl::StartsWith(method, "List");
}

spdlog::level::level_enum LevelOf(absl::string_view method, const absl::Status& status) {
  if (status.ok()) return IsRead(method) ? spdlog::level::debug : spdlog::level::info;
  return absl::IsInternal(status) ? spdlog::level::err : spdlog::level::info;
}

}  // namespace

bool RefusalLimit::Allow(absl::Time now, uint64_t* left_out) {
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(now - last_));
  allowed_ = std::min(kBurst, allowed_ + seconds * kPerSecond);
  last_ = now;
  if (allowed_ < 1) {
    ++left_out_;
    return false;
  }
  --allowed_;
  *left_out = left_out_;
  left_out_ = 0;
  return true;
}

void CallLog::Write(absl::string_view method, const LogLine& details, const absl::Status& status) {
  uint64_t left_out = 0;
  if (!status.ok() && !caller_.administrator) {
    MutexLock lock(&mutex_);
    if (!refusals_.Allow(absl::Now(), &left_out)) return;
  }
  if (left_out > 0) {
    WriteLine(spdlog::level::info,
              absl::StrCat("uid=", caller_.uid, ": ", left_out, " more refusals, left out here"),
              {.caller = caller_.uid});
  }
  std::string text = absl::StrCat(method, " uid=", caller_.uid, details.text);
  LogFields fields = details.fields;
  fields.caller = caller_.uid;
  if (!status.ok()) {
    const Reason reason = ReasonOf(status).value_or(Reason::kBridgeSetupFailed);
    absl::StrAppend(&text, ": ", ReasonName(reason), ": ", status.message());
    fields.reason = std::string(ReasonName(reason));
  }
  WriteLine(LevelOf(method, status), text, fields);
}

}  // namespace svnet
