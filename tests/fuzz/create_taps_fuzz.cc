// A CreateTapsRequest as bytes: the gate takes it apart as protobuf itself would.
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/gate/create_taps_call.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet;           // NOLINT
  using namespace svnet::testing;  // NOLINT
  // In two parts, as it may come.
  const grpc::Slice slices[] = {grpc::Slice(data, size / 2),
                                grpc::Slice(data + size / 2, size - size / 2)};
  const absl::StatusOr<std::vector<std::string>> split =
      SplitCreateTaps(grpc::ByteBuffer(slices, 2));
  v1::CreateTapsRequest whole;
  const bool is_message = whole.ParseFromArray(data, static_cast<int>(size));
  if (!split.ok()) {
    CheckPrintable(split.status().message());
    Check(ReasonOf(split.status()).has_value(), "an error without a reason");
    Check(!is_message || whole.requests().empty(), "a message that protobuf reads was refused");
    return 0;
  }
  // What is odd between the requests may be passed over: each of them is parsed by svnetd.
  if (!is_message) return 0;
  v1::CreateTapsRequest parts;
  for (const std::string& each : *split) {
    Check(parts.add_requests()->ParseFromString(each), "a request that is none");
  }
  whole.DiscardUnknownFields();
  parts.DiscardUnknownFields();
  Check(whole.SerializeAsString() == parts.SerializeAsString(), "the requests are others");
  return 0;
}
