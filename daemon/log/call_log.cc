#include "daemon/log/call_log.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"

namespace svnet {
namespace {

bool IsRead(absl::string_view method, const LogLine& details) {
  // A watch changes nothing, but is logged like a change.
  return !details.changed && !absl::StartsWith(method, "Watch");
}

spdlog::level::level_enum LevelOf(absl::string_view method, const LogLine& details,
                                  const absl::Status& status) {
  if (status.ok()) return IsRead(method, details) ? spdlog::level::debug : spdlog::level::info;
  return absl::IsInternal(status) ? spdlog::level::err : spdlog::level::info;
}

}  // namespace

LogLimit::Source CallLog::SourceOf(const LogLine& details, const absl::Status& status) const {
  if (caller_.administrator) return LogLimit::Source::kAdministrator;
  return status.ok() && details.changed ? LogLimit::Source::kChange : LogLimit::Source::kUser;
}

LogLine CallLog::LineOf(absl::string_view method, const LogLine& details,
                        const absl::Status& status) const {
  LogLine line = details;
  line.text = absl::StrCat(method, " uid=", caller_.uid, details.text);
  line.fields.caller = caller_.uid;
  if (status.ok()) return line;
  if (absl::IsUnavailable(status)) {
    absl::StrAppend(&line.text, ": ", status.message());
    return line;
  }
  const Reason reason = ReasonOf(status).value_or(Reason::kBridgeSetupFailed);
  absl::StrAppend(&line.text, ": ", ReasonName(reason), ": ", status.message());
  line.fields.reason = std::string(ReasonName(reason));
  return line;
}

void CallLog::Write(absl::string_view method, const LogLine& details,
                    const absl::Status& status) const {
  const spdlog::level::level_enum level = LevelOf(method, details, status);
  const LogLimit::Source source =
      level == spdlog::level::debug ? LogLimit::Source::kReads : SourceOf(details, status);
  log_->Write(level, source, caller_.uid, [&] { return LineOf(method, details, status); });
}

}  // namespace svnet
