// Settings as text: complete, the same again when they are set, and for whom.
#include "daemon/config/effective_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/config/config_keys.h"
#include "daemon/config/load_config.h"

namespace svnet {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

// A host without users and groups: settings have their numbers.
Accounts NoAccounts() {
  const auto nobody = [](const std::string&) { return std::optional<uint32_t>(); };
  return {.find_user = nobody, .find_group = nobody};
}

Config FromText(absl::string_view text, const Flags& flags = {}) {
  return MakeConfig("svnetd.toml", text, flags, NoAccounts()).value();
}

// Each key has another value than its default.
constexpr char kAllChanged[] = R"(socket = "/tmp/s.sock"
socket_group = ""
kind = "routed"
bridge = "br-vm"
subnet = "10.0.0.0/8"
mtu = 9000
state_dir = "/tmp/state"
log_level = "debug"
metrics_listen = "127.0.0.1:9464"
isolation = "all"
host_access = "deny"
host_ports = ["udp/53", "tcp/443"]
local_access = "owner"
blocked_destinations = ["169.254.0.0/16", "10.1.0.0/16"]
manage_foreign_firewalls = true
callers.allow_users = ["1000", "1001"]
callers.allow_groups = ["105"]
callers.admin_groups = ["27"]
callers.foreign_root = true
limits.taps_per_user = 1
limits.queues_per_user = 2
limits.connections_per_user = 3
limits.connections = 4
limits.guest_connections = 5
limits.owner_connections = 6
limits.users.1000 = { taps_per_user = 500, queues_per_user = 2, connections_per_user = 3 }
limits.groups.105 = { taps_per_user = 1, queues_per_user = 2, connections_per_user = 9 }
)";

std::string FileOf(const std::vector<Setting>& settings) {
  std::string text;
  for (const Setting& setting : settings) {
    absl::StrAppend(&text, setting.name, " = ", setting.value, "\n");
  }
  return text;
}

std::vector<std::string> NamesOf(const std::vector<Setting>& settings, bool only_for_all) {
  std::vector<std::string> names;
  for (const Setting& setting : settings) {
    if (setting.for_all || !only_for_all) names.push_back(setting.name);
  }
  return names;
}

std::string ValueIn(const Config& config, const std::string& name) {
  for (const Setting& setting : EffectiveSettings(config)) {
    if (setting.name == name) return setting.value;
  }
  return "none";
}

TEST(EffectiveSettingsTest, HaveEachKey) {
  const std::vector<std::string> names = NamesOf(EffectiveSettings(Config()), false);
  EXPECT_EQ(names.size(), AllKeys().size());
  for (const ConfigKey& key : AllKeys()) {
    const std::string prefix = key.table.empty() ? "" : absl::StrCat(key.table, ".");
    EXPECT_THAT(names, Contains(absl::StrCat(prefix, key.name)));
  }
}

TEST(EffectiveSettingsTest, WhatAKeyShowsSetsTheSameAgain) {
  const Config changed = FromText(kAllChanged);
  for (const ConfigKey& key : AllKeys()) {
    ASSERT_TRUE(key.Differs(changed, Config()))
        << "give " << key.name << " another value than its default in kAllChanged";
    Config again;
    EXPECT_TRUE(key.Set(&again, key.Show(changed), NoAccounts()).ok()) << key.name;
    EXPECT_FALSE(key.Differs(again, changed)) << key.name << ": " << key.Show(again);
    EXPECT_TRUE(key.Set(&again, key.Show(Config()), NoAccounts()).ok()) << key.name;
    EXPECT_FALSE(key.Differs(again, Config())) << key.name << ": " << key.Show(again);
  }
}

TEST(EffectiveSettingsTest, AreTheLinesOfAFile) {
  EXPECT_EQ(FileOf(EffectiveSettings(FromText(kAllChanged))), kAllChanged);
  const std::string defaults = FileOf(EffectiveSettings(Config()));
  EXPECT_EQ(FileOf(EffectiveSettings(FromText(defaults))), defaults);
}

TEST(EffectiveSettingsTest, SayWhichAreDefaults) {
  for (const Setting& setting : EffectiveSettings(Config())) {
    EXPECT_TRUE(setting.is_default) << setting.name;
  }
  for (const Setting& setting : EffectiveSettings(FromText(kAllChanged))) {
    EXPECT_FALSE(setting.is_default) << setting.name;
  }
}

TEST(EffectiveSettingsTest, UnsetAndEmptyValuesAreVisible) {
  EXPECT_EQ(ValueIn(Config(), "mtu"), "\"auto\"");
  EXPECT_EQ(ValueIn(Config(), "metrics_listen"), "\"\"");
  EXPECT_EQ(ValueIn(Config(), "host_ports"), "[]");
  EXPECT_EQ(ValueIn(FromText("callers.allow_users = [\"*\"]"), "callers.allow_users"), "[\"*\"]");
  EXPECT_EQ(ValueIn(FromText("limits.owner_connections = 0"), "limits.owner_connections"), "0");
}

// Text of the contract must be UTF-8.
TEST(EffectiveSettingsTest, EscapeTheBytesOfFlags) {
  EXPECT_EQ(ValueIn(FromText("", {{"socket", "/tmp/\"\xff\n"}}), "socket"), R"("/tmp/\"\xff\n")");
}

TEST(EffectiveSettingsTest, CallersSeeWhatConcernsTheirGuestsAndCalls) {
  EXPECT_THAT(
      NamesOf(EffectiveSettings(FromText(kAllChanged)), true),
      ElementsAre("kind", "bridge", "subnet", "mtu", "isolation", "host_access", "host_ports",
                  "local_access", "blocked_destinations", "limits.taps_per_user",
                  "limits.queues_per_user", "limits.connections_per_user", "limits.connections",
                  "limits.guest_connections", "limits.owner_connections"));
}

}  // namespace
}  // namespace svnet
