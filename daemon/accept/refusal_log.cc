#include "daemon/accept/refusal_log.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"

namespace svnet {

void LogTurnedAway(LimitedLog* log, uid_t uid, const std::function<std::string()>& why) {
  log->Write(spdlog::level::warn, LogLimit::Source::kRefused, uid, [&] {
    LogLine line = {.text = why()};
    if (uid != LogLimit::kTogether) line.fields.caller = uid;
    return line;
  });
}

void LogRefusal(LimitedLog* log, uid_t uid, const absl::Status& verdict) {
  log->Write(spdlog::level::info, LogLimit::Source::kRefused, uid, [&] {
    const Reason reason = ReasonOf(verdict).value_or(Reason::kPermissionDenied);
    LogLine line = {.text = absl::StrCat("uid ", uid, " is refused: ", ReasonName(reason), ": ",
                                         verdict.message())};
    line.fields.caller = uid;
    line.fields.reason = std::string(ReasonName(reason));
    return line;
  });
}

}  // namespace svnet
