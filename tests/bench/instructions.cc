// CreateTap in user space, for callgrind to count: bytes of a request -> values ->
// NetworkRegistry, over a kernel and a firewall in memory -> bytes of the answer.
//
//   bench_instructions N   makes N TAPs
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "daemon/base/clock.h"
#include "daemon/network/network_registry.h"
#include "daemon/rpc/conversions.h"
#include "tests/fakes/fake_parts.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

std::string RequestOf(int number) {
  v1::CreateTapRequest request;
  request.set_vm_id(absl::StrFormat("%04d-8b7d-4c55-9a10-6f0e2d4b8c77", number));
  request.set_iface_id("eth0");
  return request.SerializeAsString();
}

// As CallRunner does it.
absl::StatusOr<std::string> CreateTap(NetworkApi& api, const std::string& bytes) {
  v1::CreateTapRequest message;
  if (!message.ParseFromString(bytes)) return absl::InternalError("the request does not parse");
  SVNET_ASSIGN_OR_RETURN(const TapRequest request, FromProto(message));
  SVNET_ASSIGN_OR_RETURN(const Lease lease,
                         api.CreateTap({.uid = 1000, .gid = 1000, .tap_limit = 10'000}, request));
  v1::CreateTapResponse response;
  *response.mutable_tap() = ToProto(lease, api.SettingsOf(NetworkName()).prefix);
  return response.SerializeAsString();
}

absl::Status CreateTaps(int count) {
  testing::FakeParts parts(MonotonicNow);
  SVNET_ASSIGN_OR_RETURN(const std::unique_ptr<NetworkRegistry> registry,
                         NetworkRegistry::Start({{.bridge = testing::Name("svbr0"),
                                                  .prefix = testing::Prefix("10.0.0.0/16"),
                                                  .bridge_mac = testing::Mac("c2:00:00:00:00:01")}},
                                                parts.All()));
  NetworkApi api = parts.ApiOf(registry.get());
  for (int number = 0; number < count; ++number) {
    SVNET_RETURN_IF_ERROR(CreateTap(api, RequestOf(number)).status());
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  int count = 0;
  if (argc != 2 || !absl::SimpleAtoi(argv[1], &count)) {
    std::fprintf(stderr, "usage: %s N\n", argv[0]);
    return 2;
  }
  const absl::Status status = CreateTaps(count);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace svnet

int main(int argc, char** argv) { return svnet::Main(argc, argv); }
