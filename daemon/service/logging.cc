#include "daemon/service/logging.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "daemon/log/journal_sink.h"
#include "daemon/log/stderr_sink.h"

namespace svnet {
namespace {

spdlog::level::level_enum ToSpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kInfo:
      break;
  }
  return spdlog::level::info;
}

}  // namespace

void StartLog(LogLevel level) {
  // The journal adds fields and the time itself.
  const bool to_journal = IsStderrJournal();
  auto logger =
      to_journal ? spdlog::create<JournalSink>("svnetd") : spdlog::create<StderrSink>("svnetd");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
  spdlog::set_default_logger(std::move(logger));
  SetLogLevel(level);
}

void SetLogLevel(LogLevel level) { spdlog::default_logger()->set_level(ToSpdlogLevel(level)); }

}  // namespace svnet
