// The alias codec: what it takes is exactly what it makes.
#include <cstdint>

#include "daemon/lease/adoption.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/alias_v1.h"
#include "daemon/lease/names.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace svnet;           // NOLINT
  using namespace svnet::testing;  // NOLINT
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const TapPlan network = {.bridge_name = LinkName::Parse("svbr0").value(),
                           .bridge = 3,
                           .group = 100,
                           .mac = kTapMac,
                           .isolated = false};
  if (const absl::StatusOr<AliasV1> alias = ParseAliasV1(text); alias.ok()) {
    Check(IsAliasV1(text, alias->bridge), "it is not its bridge's");
    Check(!IsAlias(text), "it is of two versions");
  }
  const absl::StatusOr<LeaseSpec> alias = ParseAlias(LinkName::Parse("tap0").value(), text);
  if (alias.ok()) {
    Check(FormatAlias(*alias) == text, "another text means the same");
    Check(IsAlias(text), "it is not known for one");
    Check(text.size() <= 255, "it does not fit the kernel");
  } else {
    CheckPrintable(alias.status().message());
  }
  // As a link of the host's: adopted or left alone, and said why in printable words.
  const Link link = {.ifindex = 1,
                     .name = "tap0",
                     .kind = LinkKind::kTap,
                     .alias = std::string(text),
                     .group = 100,
                     .owner = 1000,
                     .persistent = true};
  const Adoption adoption = Adopt({link}, network, Ipv4Prefix::Parse("172.30.0.0/24").value(),
                                  [](const std::string&) { return std::nullopt; });
  Check(adoption.leases.size() + adoption.tampered.size() + adoption.conditions.size() <= 1,
        "one link became two things");
  for (const Condition& condition : adoption.conditions) CheckPrintable(condition.message);
  return 0;
}
