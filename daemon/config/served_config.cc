#include "daemon/config/served_config.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/config/accounts.h"
#include "daemon/config/config_keys.h"
#include "daemon/config/effective_settings.h"
#include "daemon/config/load_config.h"

namespace svnet {
namespace {

constexpr char kOrigin[] = "served.toml";

bool IsServed(const Setting& setting) {
  if (setting.name == "socket") return true;
  if (absl::StartsWith(setting.name, absl::StrCat(kNetworksTable, "."))) return true;
  const ConfigKey* key = FindKey(setting.name);
  return key != nullptr && key->of_network() != nullptr;
}

}  // namespace

std::string FormatServed(const Config& config) {
  std::string text;
  for (const Setting& setting : EffectiveSettings(config)) {
    // A path may have bytes that a TOML file cannot have. Nobody has the empty one.
    const bool is_text = !absl::StrContains(setting.value, "\\x");
    if (!IsServed(setting)) continue;
    absl::StrAppend(&text, setting.name, " = ", is_text ? setting.value : "\"/\"", "\n");
  }
  return text;
}

absl::StatusOr<Config> ParseServed(absl::string_view text) {
  // Users and groups are written as numbers.
  const Accounts nobody = {.find_user = [](const std::string&) { return std::nullopt; },
                           .find_group = [](const std::string&) { return std::nullopt; }};
  return MakeConfig(kOrigin, text, {}, nobody);
}

}  // namespace svnet
