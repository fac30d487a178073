#include "daemon/log/limited_log.h"

#include <spdlog/spdlog.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

// How often idle budgets are forgotten.
constexpr absl::Duration kForgetEvery = absl::Seconds(10);

void WriteOf(uid_t uid, absl::string_view what) {
  const bool together = uid == LogLimit::kTogether;
  LogFields fields;
  if (!together) fields.caller = uid;
  WriteLine(
      spdlog::level::info,
      absl::StrCat(together ? "callers who share a limit" : absl::StrCat("uid=", uid), ": ", what),
      fields);
}

void WriteLeftOut(const LogLimit::LeftOut& left_out) {
  WriteOf(left_out.uid, absl::StrCat(left_out.lines, " more lines are left out here"));
}

}  // namespace

LogLimit::Answer LimitedLog::Ask(LogLimit::Source source, uid_t uid,
                                 std::vector<LogLimit::LeftOut>* unsaid) {
  MutexLock lock(&mutex_);
  const absl::Time now = clock_();
  if (now - forgot_idle_ >= kForgetEvery) {
    forgot_idle_ = now;
    *unsaid = limit_.ForgetIdle(now);
  }
  return limit_.Ask(source, uid, now);
}

void LimitedLog::Write(spdlog::level::level_enum level, LogLimit::Source source, uid_t uid,
                       const std::function<LogLine()>& line) {
  std::vector<LogLimit::LeftOut> unsaid;
  const LogLimit::Answer answer = Ask(source, uid, &unsaid);
  const uid_t who = source == LogLimit::Source::kRefused ? LogLimit::kTogether : uid;
  const bool wanted = spdlog::should_log(level);
  if (answer.begins) WriteOf(who, "very many lines, not all are written");
  // Lines below the log level do not count as left out.
  if (!wanted) return;
  for (const LogLimit::LeftOut& each : unsaid) WriteLeftOut(each);
  if (!answer.write) return;
  if (answer.left_out > 0) WriteLeftOut({.uid = who, .lines = answer.left_out});
  const LogLine written = line();
  WriteLine(level, written.text, written.fields);
}

}  // namespace svnet
