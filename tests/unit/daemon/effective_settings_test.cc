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
using ::testing::Not;

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
gateway_mac = "02:00:00:00:00:01"
state_dir = "/tmp/state"
log_level = "debug"
metrics_listen = "127.0.0.1:9464"
isolation = "all"
host_access = "deny"
host_ports = ["udp/53", "tcp/443"]
local_access = "owner"
blocked_destinations = ["169.254.0.0/16", "10.1.0.0/16"]
peers = ["gpu"]
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
networks.gpu.kind = "routed"
networks.gpu.bridge = "br-gpu"
networks.gpu.subnet = "172.30.0.0/24"
networks.gpu.mtu = 9001
networks.gpu.gateway_mac = "02:00:00:00:00:02"
networks.gpu.isolation = "none"
networks.gpu.host_access = "deny"
networks.gpu.host_ports = ["udp/53"]
networks.gpu.local_access = "owner"
networks.gpu.blocked_destinations = []
networks.gpu.peers = ["default"]
networks.gpu.allow_users = ["1000", "1001"]
networks.gpu.allow_groups = ["105"]
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
  for (const ConfigKey& key : AllKeys()) {
    if (!key.IsFlag()) continue;
    const std::string prefix = key.table.empty() ? "" : absl::StrCat(key.table, ".");
    EXPECT_THAT(names, Contains(absl::StrCat(prefix, key.name)));
  }
}

TEST(EffectiveSettingsTest, WhatAKeyShowsSetsTheSameAgain) {
  const Config changed = FromText(kAllChanged);
  for (const ConfigKey& key : AllKeys()) {
    if (!key.IsFlag()) continue;
    ASSERT_TRUE(key.Differs(changed, Config()))
        << "give " << key.name << " another value than its default in kAllChanged";
    Config again;
    EXPECT_TRUE(key.Set(&again, key.Show(changed), NoAccounts()).ok()) << key.name;
    EXPECT_FALSE(key.Differs(again, changed)) << key.name << ": " << key.Show(again);
    EXPECT_TRUE(key.Set(&again, key.Show(Config()), NoAccounts()).ok()) << key.name;
    EXPECT_FALSE(key.Differs(again, Config())) << key.name << ": " << key.Show(again);
  }
}

TEST(EffectiveSettingsTest, WhatAKeyOfASectionShowsSetsTheSameAgain) {
  const NetworkConfig changed = FromText(kAllChanged).networks.at(1);
  for (const ConfigKey& key : AllKeys()) {
    const KeyAccess<NetworkConfig>* access = key.of_network();
    if (access == nullptr) continue;
    EXPECT_TRUE(key.required || access->differs(changed, NetworkConfig()))
        << "give networks.gpu." << key.name << " another value than its default in kAllChanged";
    NetworkConfig again;
    EXPECT_TRUE(access->set(&again, access->show(changed), NoAccounts()).ok()) << key.name;
    EXPECT_FALSE(access->differs(again, changed)) << key.name << ": " << access->show(again);
    EXPECT_TRUE(access->set(&again, access->show(NetworkConfig()), NoAccounts()).ok()) << key.name;
    EXPECT_FALSE(access->differs(again, NetworkConfig()))
        << key.name << ": " << access->show(again);
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

// What a section has to set is not a default, even if its value is that of the default network.
TEST(EffectiveSettingsTest, ASectionHasItsOwnDefaults) {
  std::vector<std::string> set;
  for (const Setting& setting : EffectiveSettings(FromText(R"(subnet = "10.0.0.0/8"
mtu = 1400
[networks.gpu]
bridge = "br-gpu"
subnet = "172.30.0.0/24"
)"))) {
    if (!setting.is_default) set.push_back(setting.name);
  }
  EXPECT_THAT(set, ElementsAre("subnet", "mtu", "networks.gpu.bridge", "networks.gpu.subnet"));
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
      ElementsAre("kind", "bridge", "subnet", "mtu", "gateway_mac", "isolation", "host_access",
                  "host_ports", "local_access", "blocked_destinations", "limits.taps_per_user",
                  "limits.queues_per_user", "limits.connections_per_user", "limits.connections",
                  "limits.guest_connections", "limits.owner_connections"));
}

// The section of kAllChanged is one of them: nobody else sees any of it.
TEST(EffectiveSettingsTest, OnlyAdministratorsSeeANetworkThatNotAllMayUse) {
  constexpr char kSection[] = "networks.gpu = { bridge = \"br-gpu\", subnet = \"10.1.0.0/16\"";
  const auto shown = [&](absl::string_view more) {
    return NamesOf(EffectiveSettings(FromText(absl::StrCat(kSection, more, " }"))), true);
  };
  EXPECT_THAT(shown(""), Contains("networks.gpu.subnet"));
  EXPECT_THAT(shown(""), Not(Contains("networks.gpu.peers")));
  EXPECT_THAT(shown(", allow_users = [\"1000\"]"), Not(Contains("networks.gpu.subnet")));
  EXPECT_THAT(shown(", allow_groups = [\"105\"]"), Not(Contains("networks.gpu.subnet")));
}

}  // namespace
}  // namespace svnet
