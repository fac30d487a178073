#include "daemon/config/effective_settings.h"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/substitute.h"
#include "daemon/config/config_keys.h"

namespace svnet {
namespace {

// Bytes that are not printable ASCII are escaped: text in the contract must be UTF-8, and a flag
// need not be.
std::string InQuotes(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text), "\"");
}

std::string ListOf(absl::string_view items) {
  const std::vector<absl::string_view> all = absl::StrSplit(items, ',', absl::SkipEmpty());
  return absl::StrCat("[",
                      absl::StrJoin(all, ", ",
                                    [](std::string* out, absl::string_view item) {
                                      absl::StrAppend(out, InQuotes(item));
                                    }),
                      "]");
}

// `text`, which a flag would have, as the file has it.
std::string ValueOf(ConfigValueType type, absl::string_view text) {
  uint32_t number = 0;
  switch (type) {
    case ConfigValueType::kInteger:
    case ConfigValueType::kBoolean:
      return std::string(text);
    case ConfigValueType::kTextOrInteger:
      return absl::SimpleAtoi(text, &number) ? std::string(text) : InQuotes(text);
    case ConfigValueType::kTexts:
      return ListOf(text);
    case ConfigValueType::kText:
      break;
  }
  return InQuotes(text);
}

std::string NameOf(const ConfigKey& key) {
  return key.table.empty() ? std::string(key.name) : absl::StrCat(key.table, ".", key.name);
}

// `table`: "users" or "groups". They name other callers, and are for administrators.
void AddOverrides(absl::string_view table, const std::map<uint32_t, CallerLimits>& overrides,
                  std::vector<Setting>* settings) {
  for (const auto& [id, limits] : overrides) {
    settings->push_back(
        {.name = absl::StrCat("limits.", table, ".", id),
         .value = absl::Substitute(
             "{ taps_per_user = $0, queues_per_user = $1, connections_per_user = $2 }", limits.taps,
             limits.queues, limits.connections)});
  }
}

// Not the default one. Callers who may not use a network need not know of it.
void AddNetwork(const NetworkConfig& network, std::vector<Setting>* settings) {
  const NetworkConfig defaults;
  for (const ConfigKey& key : AllKeys()) {
    const KeyAccess<NetworkConfig>* access = key.of_network();
    if (access == nullptr) continue;
    settings->push_back(
        {.name = PathOf(network.name, key.name),
         .value = ValueOf(key.type, access->show(network)),
         .is_default = !key.required && !access->differs(network, defaults),
         .for_all = network.IsForAll() && key.audience == ConfigAudience::kAllCallers});
  }
}

}  // namespace

std::vector<Setting> EffectiveSettings(const Config& config) {
  const Config defaults;
  std::vector<Setting> settings;
  for (const ConfigKey& key : AllKeys()) {
    if (!key.IsFlag()) continue;
    settings.push_back({.name = NameOf(key),
                        .value = ValueOf(key.type, key.Show(config)),
                        .is_default = !key.Differs(config, defaults),
                        .for_all = key.audience == ConfigAudience::kAllCallers});
  }
  AddOverrides("users", config.callers.user_limits, &settings);
  AddOverrides("groups", config.callers.group_limits, &settings);
  for (const NetworkConfig& network : config.other_networks()) AddNetwork(network, &settings);
  return settings;
}

}  // namespace svnet
