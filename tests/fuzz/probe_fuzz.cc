// What answers svnetd's watchdog: however its bytes are cut, it is the same answer, and what is
// sent in turn is no more than what came.
#include <algorithm>
#include <cstdint>
#include <string>

#include "daemon/accept/health_exchange.h"
#include "tests/fuzz/check.h"

namespace svnet::testing {
namespace {

struct Outcome {
  bool is_answered = false;
  bool has_failed = false;
  size_t sent = 0;  // bytes, in turn
};

// Takes the bytes in parts of `step`.
Outcome Run(absl::string_view bytes, size_t step) {
  Outcome outcome;
  HealthExchange exchange;
  while (!bytes.empty() && !outcome.has_failed && !outcome.is_answered) {
    const absl::StatusOr<std::string> reply = exchange.Take(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    outcome.has_failed = !reply.ok();
    if (reply.ok()) outcome.sent += reply->size();
    outcome.is_answered = exchange.is_answered();
  }
  return outcome;
}

}  // namespace
}  // namespace svnet::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet::testing;  // NOLINT
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome one_by_one = Run(bytes, 1);
  Check(one_by_one.sent <= size, "more is sent than came");
  for (const size_t step : {size_t{7}, size + 1}) {
    const Outcome other = Run(bytes, step);
    Check(other.is_answered == one_by_one.is_answered, "the cut decides whether it is answered");
    Check(other.has_failed == one_by_one.has_failed, "the cut decides whether it fails");
  }
  return 0;
}
