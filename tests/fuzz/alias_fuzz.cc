// The alias codec: what it takes is exactly what it makes.
#include <cstdint>

#include "daemon/network/adoption.h"
#include "daemon/network/alias.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet;           // NOLINT
  using namespace svnet::testing;  // NOLINT
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const LinkName bridge = LinkName::Parse("svbr0").value();
  const absl::StatusOr<Alias> alias = ParseAlias(text);
  if (alias.ok()) {
    Check(FormatAlias(*alias) == text, "another text means the same");
    Check(IsAliasOf(text, alias->bridge), "it is not its bridge's");
    Check(text.size() <= 255, "it does not fit the kernel");
  } else {
    CheckPrintable(alias.status().message());
  }
  // As a link of the host's: adopted or left alone, and said why in printable words.
  const Link link = {.ifindex = 1,
                     .name = "tap0",
                     .kind = LinkKind::kTap,
                     .alias = std::string(text),
                     .owner = 1000,
                     .persistent = true};
  const Adoption adoption = Adopt({link}, bridge, Ipv4Prefix::Parse("172.30.0.0/24").value());
  Check(adoption.leases.size() + adoption.conditions.size() <= 1, "one link became two things");
  for (const Condition& condition : adoption.conditions) CheckPrintable(condition.message);
  return 0;
}
