#include "daemon/metrics/call_metrics.h"

#include <optional>

#include "daemon/base/error.h"

namespace svnet {
namespace {

// Seconds: from what nothing but a lookup takes to how long svnetctl waits.
const prometheus::Histogram::BucketBoundaries kBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05,   0.1,     0.25,   0.5,   1,      2.5,   10,   30};

// As the caller sees it (ToGrpcStatus); empty: it gets none.
absl::string_view ReasonLabel(const absl::Status& status) {
  if (const std::optional<Reason> reason = ReasonOf(status)) return ReasonName(*reason);
  if (status.ok() || absl::IsUnavailable(status) || absl::IsCancelled(status)) return "";
  return ReasonName(Reason::kBridgeSetupFailed);
}

}  // namespace

CallMetrics::CallMetrics(prometheus::Registry* registry)
    : calls_(prometheus::BuildCounter()
                 .Name("svnet_calls_total")
                 .Help("Calls that were answered, by gRPC code and ErrorInfo reason")
                 .Register(*registry)),
      durations_(prometheus::BuildHistogram()
                     .Name("svnet_call_duration_seconds")
                     .Help("From a call's arrival to its answer, the wait for its turn included")
                     .Register(*registry)) {}

void CallMetrics::Answered(absl::string_view method, const absl::Status& status,
                           absl::Duration took) {
  MutexLock lock(&mutex_);
  Count(method, status);
  prometheus::Histogram*& histogram = histograms_[method];
  if (histogram == nullptr) histogram = &durations_.Add({{"method", std::string(method)}}, kBounds);
  histogram->Observe(absl::ToDoubleSeconds(took));
}

void CallMetrics::Begun(absl::string_view method, const absl::Status& status) {
  MutexLock lock(&mutex_);
  Count(method, status);
}

void CallMetrics::Count(absl::string_view method, const absl::Status& status) {
  const absl::string_view reason = ReasonLabel(status);
  prometheus::Counter*& counter = counters_[{method, status.code(), reason}];
  if (counter == nullptr) {
    counter = &calls_.Add({{"method", std::string(method)},
                           {"code", absl::StatusCodeToString(status.code())},
                           {"reason", std::string(reason)}});
  }
  counter->Increment();
}

}  // namespace svnet
