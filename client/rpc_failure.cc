#include "client/rpc_failure.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace svnet::client {
namespace {

std::optional<google::rpc::ErrorInfo> FindErrorInfo(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return std::nullopt;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == "svnet") return info;
  }
  return std::nullopt;
}

// gRPC's codes are Abseil's, number for number.
std::string CodeName(grpc::StatusCode code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

// svnetd's messages name calls, this the command.
std::string HintFor(const std::string& reason) {
  return reason == "NETWORK_NOT_FOUND" ? "svnetctl networks lists the networks that you may use"
                                       : "";
}

Failure Refused(const grpc::Status& status, const google::rpc::ErrorInfo& info) {
  return {.exit_code = ExitCode::kRefused,
          .code = CodeName(status.error_code()),
          .reason = info.reason(),
          .message = status.error_message(),
          .hint = HintFor(info.reason()),
          .metadata = {info.metadata().begin(), info.metadata().end()}};
}

Failure TooLate(const CallContext& context) {
  return {.exit_code = ExitCode::kRefused,
          .code = "DEADLINE_EXCEEDED",
          .reason = "",
          .message = absl::StrCat("svnetd did not answer within ",
                                  absl::ToInt64Seconds(context.timeout), " s"),
          .hint =
              "it may still do what was asked; the same command again is safe (--timeout SECONDS "
              "waits longer)"};
}

Failure ConnectionBroke(const grpc::Status& status, const CallContext& context) {
  return {.exit_code = ExitCode::kNoDaemon,
          .code = "UNAVAILABLE",
          .reason = "",
          .message = absl::StrCat("svnetd at ", context.socket,
                                  " closed the connection without an answer (",
                                  status.error_message(), ")"),
          .hint =
              "it is stopping, its configuration is wrong, or it does not serve this user: "
              "journalctl -u svnetd says which; the same command again is safe"};
}

Failure Unexplained(const grpc::Status& status) {
  const std::string code = CodeName(status.error_code());
  return {.exit_code = ExitCode::kRefused,
          .code = code,
          .reason = "",
          .message = absl::StrCat("svnetd answered ", code, ": ", status.error_message()),
          .hint = status.error_code() == grpc::StatusCode::UNIMPLEMENTED
                      ? "this svnetd may be older than svnetctl " SVNET_VERSION
                      : ""};
}

}  // namespace

Failure ExplainRpcFailure(const grpc::Status& status, const CallContext& context) {
  if (const auto info = FindErrorInfo(status)) return Refused(status, *info);
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return TooLate(context);
    case grpc::StatusCode::UNAVAILABLE:
      return ConnectionBroke(status, context);
    default:
      return Unexplained(status);
  }
}

}  // namespace svnet::client
