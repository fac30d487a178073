#include "daemon/rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/rpc/limited_log.h"

namespace svnet {
namespace {

void Log(absl::string_view library, absl::string_view message) {
  // Never destroyed: gRPC's threads end when they like.
  static auto* const log = new LimitedLog(MonotonicNow);
  log->Write(spdlog::level::debug, LogLimit::Source::kReads, LogLimit::kTogether, [&] {
    return LogLine{.text = absl::StrCat(library, ": ", absl::CHexEscape(message)), .fields = {}};
  });
}

void LogGrpc(gpr_log_func_args* args) { Log("grpc", args->message); }

void LogProtobuf(google::protobuf::LogLevel /*level*/, const char* /*file*/, int /*line*/,
                 const std::string& message) {
  Log("protobuf", message);
}

}  // namespace

void RouteLibraryLogs() {
  gpr_set_log_function(LogGrpc);
  google::protobuf::SetLogHandler(LogProtobuf);
}

}  // namespace svnet
