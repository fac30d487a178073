#include "daemon/rpc/call_runner.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/log/call_log.h"
#include "daemon/rpc/network_calls.h"
#include "daemon/rpc/parse_request.h"
#include "daemon/rpc/tap_events.h"
#include "grpc/health/v1/health.pb.h"

namespace svnet {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// How often a call waits for what is dying to be gone, before it is refused after all.
constexpr int kMaxTimesParked = 16;

// No rpc: it is said on a socket of its own.
constexpr absl::string_view kOpenTap = "OpenTap";

template <typename Request, typename Response>
absl::StatusOr<std::string> Answer(NetworkCalls& calls, const std::string& bytes, LogLine* line,
                                   absl::StatusOr<Response> (NetworkCalls::*method)(const Request&,
                                                                                    LogLine*)) {
  SVNET_ASSIGN_OR_RETURN(const auto request, ParseRequest<Request>(bytes));
  SVNET_ASSIGN_OR_RETURN(const Response response, (calls.*method)(request, line));
  return response.SerializeAsString();
}

absl::StatusOr<std::string> Dispatch(NetworkCalls& calls, const CallRunner::Call& call,
                                     LogLine* line) {
  switch (call.method) {
    case Method::kCreateTap:
      return Answer(calls, call.request, line, &NetworkCalls::CreateTap);
    case Method::kRemoveTap:
      return Answer(calls, call.request, line, &NetworkCalls::RemoveTap);
    case Method::kGetBootArgs:
      return Answer(calls, call.request, line, &NetworkCalls::GetBootArgs);
    case Method::kListTaps:
      return Answer(calls, call.request, line, &NetworkCalls::ListTaps);
    case Method::kGetNetwork:
      return Answer(calls, call.request, line, &NetworkCalls::GetNetwork);
    case Method::kGetMetrics:
      return Answer(calls, call.request, line, &NetworkCalls::GetMetrics);
    case Method::kGetTap:
      return Answer(calls, call.request, line, &NetworkCalls::GetTap);
    case Method::kUpdateTap:
      return Answer(calls, call.request, line, &NetworkCalls::UpdateTap);
    case Method::kListNetworks:
      return Answer(calls, call.request, line, &NetworkCalls::ListNetworks);
    case Method::kCleanup:
    case Method::kWatchTaps:
    case Method::kHealthCheck:
    case Method::kHealthWatch:
    case Method::kMetricsPage:
      break;
  }
  return absl::InternalError("no call");
}

}  // namespace

std::optional<absl::StatusOr<std::string>> CallRunner::Run(Call& call, bool must_end) {
  if (call.method == Method::kHealthCheck) return CheckHealth(call.request);
  LogLine line;
  std::optional<absl::StatusOr<std::string>> answer;
  if (call.method == Method::kCleanup && api_ != nullptr) {
    answer = GoOnWithCleanup(call, must_end, &line);
  } else {
    answer = RunNow(call, &line);
    const bool may_wait = !must_end && call.times_parked < kMaxTimesParked;
    if (may_wait && IsTransient(answer->status())) answer.reset();
    ++call.times_parked;
  }
  if (!answer.has_value()) return std::nullopt;
  const absl::string_view name = MethodName(call.method);
  CallLog(call.caller, parts_.log).Write(name, line, answer->status());
  parts_.metrics->calls().Answered(name, answer->status(), MonotonicNow() - call.since);
  return answer;
}

absl::Status CallRunner::OpenTap(const OpenTapCall& call, size_t most, OpenedTap* opened) {
  LogLine line;
  const absl::Status status = OpenTapNow(call, most, opened, &line);
  if (status.ok() && !opened->is_complete()) return status;
  CallLog(call.caller, parts_.log).Write(kOpenTap, line, status);
  parts_.metrics->calls().Answered(kOpenTap, status, MonotonicNow() - call.since);
  return status;
}

absl::Status CallRunner::OpenTapNow(const OpenTapCall& call, size_t most, OpenedTap* opened,
                                    LogLine* line) {
  if (api_ == nullptr) return CallsBeforeStart(call.caller).Refuse();
  SVNET_ASSIGN_OR_RETURN(const auto request, ParseRequest<v1::OpenTapRequest>(call.request));
  return NetworkCalls(call.caller, api_, parts_.metrics, parts_.board)
      .OpenTap(request, most, opened, line);
}

std::optional<absl::StatusOr<std::string>> CallRunner::GoOnWithCleanup(Call& call, bool must_end,
                                                                       LogLine* line) {
  const NetworkCalls calls(call.caller, api_, parts_.metrics, parts_.board);
  if (call.cleanup == nullptr) {
    SVNET_ASSIGN_OR_RETURN(const auto request, ParseRequest<v1::CleanupRequest>(call.request));
    SVNET_ASSIGN_OR_RETURN(call.cleanup, calls.BeginCleanup(request));
  }
  const auto result = must_end ? call.cleanup->Finish() : call.cleanup->GoOn();
  call.goes_on = !result.has_value() && !call.cleanup->waits_for_reaping();
  if (!result.has_value()) return std::nullopt;
  SVNET_ASSIGN_OR_RETURN(const v1::CleanupResponse response,
                         NetworkCalls::EndCleanup(*call.cleanup, *result, line));
  return response.SerializeAsString();
}

absl::StatusOr<std::string> CallRunner::RunNow(const Call& call, LogLine* line) {
  if (api_ == nullptr) return CallsBeforeStart(call.caller).Answer(call.method, call.request);
  NetworkCalls calls(call.caller, api_, parts_.metrics, parts_.board);
  return Dispatch(calls, call, line);
}

UnstartedCalls CallRunner::CallsBeforeStart(const Caller& caller) const {
  return UnstartedCalls(caller, &unstarted_, parts_.board, parts_.metrics);
}

MeasuresOfNetworks CallRunner::Measure() const {
  if (api_ == nullptr) return MeasuresOf(unstarted_);
  return NetworkCalls::Measure(*api_, *parts_.board);
}

absl::StatusOr<std::string> CallRunner::CheckHealth(const std::string& bytes) {
  SVNET_ASSIGN_OR_RETURN(const auto request, ParseRequest<HealthCheckRequest>(bytes));
  const std::optional<bool> serving = parts_.health->IsServing(request.service());
  if (!serving.has_value()) {
    return absl::NotFoundError(absl::StrCat("there is no such component: there are \"",
                                            absl::StrJoin(parts_.health->Components(), "\", \""),
                                            "\""));
  }
  HealthCheckResponse response;
  response.set_status(*serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  return response.SerializeAsString();
}

absl::StatusOr<std::shared_ptr<MessageSource>> CallRunner::Watch(const Caller& caller,
                                                                 Method method,
                                                                 const std::string& bytes,
                                                                 std::function<void()> wake) {
  if (method == Method::kHealthWatch) {
    SVNET_ASSIGN_OR_RETURN(const auto request, ParseRequest<HealthCheckRequest>(bytes));
    return parts_.health->Watch(caller, request.service(), std::move(wake));
  }
  const auto watch = WatchTaps(caller, bytes, std::move(wake));
  CallLog(caller, parts_.log).Write(MethodName(method), {}, watch.status());
  parts_.metrics->calls().Begun(MethodName(method), watch.status());
  return watch;
}

absl::StatusOr<std::shared_ptr<MessageSource>> CallRunner::WatchTaps(const Caller& caller,
                                                                     const std::string& bytes,
                                                                     std::function<void()> wake) {
  SVNET_ASSIGN_OR_RETURN(const auto request, ParseRequest<v1::WatchTapsRequest>(bytes));
  if (api_ == nullptr) return CallsBeforeStart(caller).Refuse();
  NetworkCalls calls(caller, api_, parts_.metrics, parts_.board);
  SVNET_ASSIGN_OR_RETURN(std::shared_ptr<svnet::Watch> watch,
                         calls.WatchTaps(request, std::move(wake)));
  return std::make_shared<TapEvents>(
      std::move(watch), [api = api_](const Lease& lease) { return api->PrefixOf(lease); });
}

void CallRunner::EndWatches(const absl::Status& why) {
  if (api_ != nullptr) api_->EndWatches(why);
  parts_.health->EndWatches(why);
}

}  // namespace svnet
