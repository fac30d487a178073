// What a reader of metrics may send: a verdict, once given, is given for good, and whatever
// names another host than this one has no page.
#include <cstdint>
#include <optional>

#include "absl/strings/match.h"
#include "daemon/gate/http_request.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet;           // NOLINT
  using namespace svnet::testing;  // NOLINT
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::optional<HttpVerdict> first;
  for (size_t length = 1; length <= size; ++length) {
    const std::optional<HttpVerdict> verdict = JudgeRequest(bytes.substr(0, length));
    if (!first.has_value()) first = verdict;
    Check(verdict == first, "more bytes change a verdict");
  }
  if (!first.has_value()) return 0;
  Check(first->status != HttpStatus::kOk || absl::StrContains(bytes, "/metrics"),
        "another path has the page");
  const std::string head = RenderResponseHead(first->status, size);
  Check(absl::EndsWith(head, "\r\nConnection: close\r\n\r\n"), "an answer is not the last");
  CheckPrintable(absl::string_view(RenderExplanation(first->status)).substr(0, 3));
  return 0;
}
