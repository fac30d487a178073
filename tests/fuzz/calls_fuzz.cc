// Requests as bytes, as a hostile caller sends them, to the calls of one caller.
#include <fuzzer/FuzzedDataProvider.h>

#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/network/reap_worker.h"
#include "daemon/rpc/network_calls.h"
#include "tests/fakes/clean_up.h"
#include "tests/fakes/fake_parts.h"
#include "tests/fuzz/check.h"

namespace svnet::testing {
namespace {

void CheckAnswer(const absl::Status& answer, const LogLine& log) {
  if (!log.text.empty()) CheckPrintable(log.text);
  Check(log.text.size() < 1000, "a long line in the log");
  if (answer.ok()) return;
  CheckPrintable(answer.message());
  Check(ReasonOf(answer).has_value(), "an error without a reason");
  Check(answer.message().size() < 1000, "a long error");
}

template <typename Request, typename Response>
void Call(NetworkCalls& calls, const std::string& bytes,
          absl::StatusOr<Response> (NetworkCalls::*method)(const Request&, LogLine*)) {
  Request request;
  if (!request.ParseFromString(bytes)) return;
  LogLine log;
  const absl::StatusOr<Response> response = (calls.*method)(request, &log);
  CheckAnswer(response.status(), log);
}

void CleanUp(const NetworkCalls& calls, const std::string& bytes, const ReapWorker& worker) {
  v1::CleanupRequest request;
  if (!request.ParseFromString(bytes)) return;
  LogLine log;
  const auto cleanup = calls.BeginCleanup(request);
  if (!cleanup.ok()) return CheckAnswer(cleanup.status(), log);
  const auto response = NetworkCalls::EndCleanup(**cleanup, CarryOut(**cleanup, worker), &log);
  CheckAnswer(response.status(), log);
}

}  // namespace
}  // namespace svnet::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet;           // NOLINT
  using namespace svnet::testing;  // NOLINT
  FuzzedDataProvider input(data, size);
  FakeParts parts(MonotonicNow);
  const auto registry = NetworkRegistry::Start({{.bridge = LinkName::Parse("svbr0").value(),
                                                 .prefix = Ipv4Prefix::Parse("10.9.9.0/28").value(),
                                                 .bridge_mac = MacAddress({0xc2, 0, 0, 0, 0, 1})}},
                                               parts.All());
  Metrics metrics;
  NetworkApi api = parts.ApiOf(registry->get());
  const StatusBoard board;
  NetworkCalls calls({.uid = 1000, .gid = 1000}, &api, &metrics, &board);
  for (int i = 0; i < 8 && input.remaining_bytes() > 0; ++i) {
    const int method = input.ConsumeIntegralInRange(0, 5);
    const std::string bytes = input.ConsumeRandomLengthString(500);
    if (method == 0) Call(calls, bytes, &NetworkCalls::CreateTap);
    if (method == 1) Call(calls, bytes, &NetworkCalls::RemoveTap);
    if (method == 2) Call(calls, bytes, &NetworkCalls::GetBootArgs);
    if (method == 3) CleanUp(calls, bytes, ReapWorker(registry->get(), &parts.reaper));
    if (method == 4) Call(calls, bytes, &NetworkCalls::ListTaps);
    if (method == 5) Call(calls, bytes, &NetworkCalls::GetNetwork);
  }
  return 0;
}
