// The configuration: a file and a flag, and whatever they say.
#include <fuzzer/FuzzedDataProvider.h>

#include "daemon/config/config_keys.h"
#include "daemon/config/load_config.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet;           // NOLINT
  using namespace svnet::testing;  // NOLINT
  FuzzedDataProvider input(data, size);
  Flags flags;
  if (input.ConsumeBool()) {
    const size_t key = input.ConsumeIntegralInRange<size_t>(0, AllKeys().size() - 1);
    flags[std::string(AllKeys()[key].name)] = input.ConsumeRandomLengthString(100);
  }
  const Accounts nobody = {.find_user = [](const std::string&) { return std::nullopt; },
                           .find_group = [](const std::string&) { return std::nullopt; }};
  const std::string text = input.ConsumeRemainingBytesAsString();
  const absl::StatusOr<Config> config = MakeConfig("svnetd.toml", text, flags, nobody);
  if (!config.ok()) {
    Check(!config.status().message().empty(), "an error without words");
    return 0;
  }
  for (const NetworkConfig& network : config->networks) {
    Check(network.subnet.length() >= 8 && network.subnet.length() <= 30, "a subnet of odd length");
    Check(!network.mtu.has_value() || (*network.mtu >= 576 && *network.mtu <= 65521), "an odd MTU");
  }
  Check(config->socket.size() <= 107 && config->socket[0] == '/', "an odd socket");
  Check(config->callers.limits.connections >= 1, "a limit that lets nobody in");
  return 0;
}
