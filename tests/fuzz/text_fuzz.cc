// Every parser of a single value: what it takes it gives back, and what it refuses it
// says in one printable line.
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/firewall/nft_commands.h"
#include "daemon/lease/boot_args.h"
#include "daemon/lease/ids.h"
#include "tests/fuzz/check.h"

namespace svnet::testing {
namespace {

template <typename Value>
void RoundTrip(absl::string_view text, std::string (*show)(const Value&)) {
  const absl::StatusOr<Value> value = Value::Parse(text);
  if (!value.ok()) {
    CheckPrintable(value.status().message());
    return;
  }
  const std::string shown = show(*value);
  Check(show(*Value::Parse(shown)) == shown, "parsed, shown, parsed and shown is another");
}

template <typename Value>
std::string Show(const Value& value) {
  return value.ToString();
}

template <typename Name>
std::string ShowText(const Name& name) {
  return name.text();
}

}  // namespace
}  // namespace svnet::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet;           // NOLINT
  using namespace svnet::testing;  // NOLINT
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  RoundTrip<Ipv4Address>(text, Show);
  RoundTrip<Ipv4Prefix>(text, Show);
  RoundTrip<MacAddress>(text, Show);
  RoundTrip<LinkName>(text, ShowText);
  RoundTrip<VmId>(text, ShowText);
  RoundTrip<IfaceId>(text, ShowText);
  RoundTrip<HostName>(text, ShowText);
  Check(ShortenNftError(text).size() <= 300, "a long error");
  return 0;
}
