#include "daemon/rpc/call_log.h"

#include <spdlog/spdlog.h>

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

void CallLog::Write(absl::string_view method, absl::string_view details,
                    const absl::Status& status) {
  uint64_t left_out = 0;
  if (!status.ok() && !caller_.administrator) {
    MutexLock lock(&mutex_);
    if (!refusals_.Allow(absl::Now(), &left_out)) return;
  }
  if (left_out > 0) spdlog::info("uid={}: {} more refusals, left out here", caller_.uid, left_out);
  std::string line = absl::StrCat(method, " uid=", caller_.uid, details);
  if (!status.ok()) {
    absl::StrAppend(&line, ": ", ReasonName(ReasonOf(status).value_or(Reason::kBridgeSetupFailed)),
                    ": ", status.message());
  }
  spdlog::log(LevelOf(method, status), "{}", line);
}

}  // namespace svnet
