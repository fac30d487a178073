#include "daemon/rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include <string>

#include "absl/strings/escaping.h"

namespace svnet {
namespace {

void LogGrpc(gpr_log_func_args* args) {
  spdlog::debug("grpc: {}", absl::CHexEscape(args->message));
}

void LogProtobuf(google::protobuf::LogLevel /*level*/, const char* /*file*/, int /*line*/,
                 const std::string& message) {
  spdlog::debug("protobuf: {}", absl::CHexEscape(message));
}

}  // namespace

void RouteLibraryLogs() {
  gpr_set_log_function(LogGrpc);
  google::protobuf::SetLogHandler(LogProtobuf);
}

}  // namespace svnet
