#include "daemon/log/library_logs.h"

#include <google/protobuf/stubs/logging.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/log/limited_log.h"

namespace svnet {
namespace {

void LogProtobuf(google::protobuf::LogLevel /*level*/, const char* /*file*/, int /*line*/,
                 const std::string& message) {
  // Never destroyed, because Protobuf may log until the process ends.
  static auto* const log = new LimitedLog(MonotonicNow);
  log->Write(spdlog::level::debug, LogLimit::Source::kReads, LogLimit::kTogether, [&] {
    return LogLine{.text = absl::StrCat("protobuf: ", absl::CHexEscape(message)), .fields = {}};
  });
}

}  // namespace

void RouteLibraryLogs() { google::protobuf::SetLogHandler(LogProtobuf); }

}  // namespace svnet
