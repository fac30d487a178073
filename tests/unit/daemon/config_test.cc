#include "daemon/config/load_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// A host with the users alice (1000) and bob (1001), and the groups kvm (105) and ops (27).
Accounts TestAccounts() {
  const auto find = [](std::map<std::string, uint32_t> ids) {
    return [ids](const std::string& name) {
      const auto at = ids.find(name);
      return at == ids.end() ? std::nullopt : std::make_optional(at->second);
    };
  };
  return {.find_user = find({{"alice", 1000}, {"bob", 1001}}),
          .find_group = find({{"kvm", 105}, {"ops", 27}})};
}

absl::StatusOr<Config> FromText(absl::string_view text, const Flags& flags = {}) {
  return MakeConfig("svnetd.toml", text, flags, TestAccounts());
}

NetworkConfig NetworkFrom(absl::string_view text, const Flags& flags = {}) {
  return FromText(text, flags).value().default_network();
}

std::string ErrorOf(absl::string_view text, const Flags& flags = {}) {
  const absl::StatusOr<Config> config = FromText(text, flags);
  EXPECT_FALSE(config.ok()) << text;
  return std::string(config.status().message());
}

TEST(ConfigTest, HasTheDefaultsOfTheTypeScriptClassWithoutAFile) {
  const Config config = FromText("").value();
  EXPECT_EQ(config.socket, "/run/svnet/svnetd.sock");
  EXPECT_EQ(config.socket_group, "svnet");
  EXPECT_EQ(config.default_network().bridge.text(), "svbr0");
  EXPECT_EQ(config.default_network().subnet.ToString(), "172.30.0.0/24");
  EXPECT_EQ(config.default_network().mtu, std::nullopt);
  EXPECT_EQ(StateDirOf(config), "/run/svnet/state-svbr0");
  EXPECT_EQ(config.log_level, LogLevel::kInfo);
  EXPECT_FALSE(config.manage_foreign_firewalls);
}

TEST(ConfigTest, ReadsEveryKeyAndPrefersFlags) {
  constexpr char kText[] = R"(# a comment
socket = "/tmp/s.sock"
socket_group = ""
kind = "routed"
bridge = "br-vm"
subnet = "10.0.0.0/8"
mtu = 9000
state_dir = "/tmp/state"
log_level = "debug"
manage_foreign_firewalls = true
)";
  const Config config = FromText(kText).value();
  EXPECT_EQ(config.socket, "/tmp/s.sock");
  EXPECT_EQ(config.socket_group, "");
  EXPECT_EQ(config.default_network().kind, NetworkKind::kRouted);
  EXPECT_EQ(config.default_network().bridge.text(), "br-vm");
  EXPECT_EQ(config.default_network().subnet.ToString(), "10.0.0.0/8");
  EXPECT_EQ(config.default_network().mtu, 9000u);
  EXPECT_EQ(StateDirOf(config), "/tmp/state");
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_TRUE(config.manage_foreign_firewalls);
  EXPECT_FALSE(
      FromText(kText, {{"manage_foreign_firewalls", "false"}}).value().manage_foreign_firewalls);
  EXPECT_EQ(NetworkFrom(kText, {{"mtu", "auto"}}).mtu, std::nullopt);
  EXPECT_EQ(NetworkFrom(kText, {{"bridge", "br1"}}).bridge.text(), "br1");
}

TEST(ConfigTest, TheStateDirIsNamedAfterTheBridge) {
  EXPECT_EQ(StateDirOf(FromText("bridge = \"br-vm\"").value()), "/run/svnet/state-br-vm");
  EXPECT_EQ(StateDirOf(FromText("state_dir = \"\"").value()), "/run/svnet/state-svbr0");
  EXPECT_THAT(ErrorOf("state_dir = \"state\""), HasSubstr("\"state\" is not an absolute path"));
  EXPECT_THAT(ErrorOf("state_dir = \"/" + std::string(1024, 'a') + "\""),
              HasSubstr("is not an absolute path"));
}

TEST(ConfigTest, ReportsErrorsWithFileLineKeyAndAllowedValues) {
  EXPECT_THAT(ErrorOf("\n\nbrigde = \"x\"\n"),
              AllOf(StartsWith("svnetd.toml:3: brigde: "), HasSubstr("known keys: socket, ")));
  EXPECT_THAT(ErrorOf("mtu = 9.5"), AllOf(StartsWith("svnetd.toml:1: mtu: "),
                                          HasSubstr("must be a string or an integer")));
  EXPECT_THAT(ErrorOf("bridge = 7"), HasSubstr("must be a string, not of type integer"));
  EXPECT_THAT(ErrorOf("mtu = 500"), HasSubstr("576 to 65521"));
  EXPECT_THAT(ErrorOf("mtu = 65522"), HasSubstr("576 to 65521"));
  EXPECT_THAT(ErrorOf("mtu = \"big\""), HasSubstr("neither \"auto\" nor"));
  EXPECT_THAT(ErrorOf("log_level = \"loud\""), HasSubstr("debug, info, warning, error"));
  EXPECT_THAT(ErrorOf("manage_foreign_firewalls = \"yes\""),
              HasSubstr("must be true or false, not of type string"));
  EXPECT_THAT(ErrorOf("", {{"manage_foreign_firewalls", "yes"}}),
              HasSubstr("not one of: false, true"));
  EXPECT_THAT(ErrorOf("bridge = \"a b\""), HasSubstr("svnetd.toml:1: bridge: "));
  EXPECT_THAT(ErrorOf("socket = \"relative\""), HasSubstr("absolute path"));
  EXPECT_THAT(ErrorOf("socket = \"/" + std::string(107, 'x') + "\""), HasSubstr("107 bytes"));
  EXPECT_THAT(ErrorOf("metrics_listen = \":9464\""), HasSubstr("not an IPv4 loopback address"));
  EXPECT_THAT(ErrorOf("bridge = \n"), StartsWith("svnetd.toml:1: "));
  EXPECT_THAT(ErrorOf("a = 1\na = 2"), StartsWith("svnetd.toml:2: "));
  EXPECT_THAT(ErrorOf("[bridge]\nname = 1"), HasSubstr("must be a string"));
  EXPECT_THAT(ErrorOf("", {{"log_level", "loud"}}), StartsWith("--log-level: "));
}

TEST(ConfigTest, SaysWhichValueNeedsQuotes) {
  EXPECT_THAT(ErrorOf("# ours\nsubnet = 10.0.0.0/24 # new\n"),
              StartsWith("svnetd.toml:2: subnet: 10.0.0.0/24 needs quotes: "
                         "subnet = \"10.0.0.0/24\""));
  EXPECT_THAT(ErrorOf("bridge = br0"), HasSubstr("bridge = \"br0\""));
  EXPECT_THAT(ErrorOf("[callers]\nallow_users = [alice, bob]"),
              StartsWith("svnetd.toml:2: allow_users: [alice, bob] needs quotes: "
                         "allow_users = [\"alice\", \"bob\"]"));
  EXPECT_THAT(ErrorOf("subnet = 10"), HasSubstr("must be a string, not of type integer: write it "
                                                "in quotes"));
  EXPECT_THAT(ErrorOf("subnet = \"10.0.0.0/24"), Not(HasSubstr("needs quotes")));
}

TEST(ConfigTest, SaysWhereAKeyBelongs) {
  EXPECT_THAT(ErrorOf("taps_per_user = 1"),
              StartsWith("svnetd.toml:1: taps_per_user: belongs to [limits]"));
  EXPECT_THAT(ErrorOf("[limits]\nsubnet = \"10.0.0.0/24\""),
              StartsWith("svnetd.toml:2: limits.subnet: belongs to the top of the file, before the "
                         "first [table]"));
  EXPECT_THAT(ErrorOf("[limits.users.alice]\nmtu = 1500"), HasSubstr("belongs to the top"));
}

TEST(ConfigTest, SaysWhichKeyWasProbablyMeant) {
  EXPECT_THAT(ErrorOf("subnett = \"10.0.0.0/24\""), HasSubstr("unknown key: did you mean subnet?"));
  EXPECT_THAT(ErrorOf("[caller]\nallow_users = []"), HasSubstr("did you mean callers?"));
  EXPECT_THAT(ErrorOf("colour = 1"), HasSubstr("unknown key; known keys: "));
}

TEST(ConfigTest, ReadsTheKeysAboutGuests) {
  const NetworkConfig defaults = NetworkFrom("");
  EXPECT_EQ(defaults.isolation, Isolation::kOwner);
  EXPECT_TRUE(defaults.host_access);
  EXPECT_THAT(defaults.host_ports, IsEmpty());
  EXPECT_THAT(defaults.blocked_destinations, ElementsAre(testing::Prefix("169.254.0.0/16")));
  const NetworkConfig network = NetworkFrom(R"(isolation = "all"
host_access = "deny"
host_ports = ["udp/53", "tcp/443"]
blocked_destinations = []
)");
  EXPECT_EQ(network.isolation, Isolation::kAll);
  EXPECT_FALSE(network.host_access);
  EXPECT_THAT(network.host_ports, ElementsAre(HostPort{HostPort::Protocol::kUdp, 53},
                                              HostPort{HostPort::Protocol::kTcp, 443}));
  EXPECT_THAT(network.blocked_destinations, IsEmpty());
  EXPECT_EQ(NetworkFrom("", {{"host_ports", "udp/1,tcp/65535"}}).host_ports.size(), 2u);
  EXPECT_THAT(ErrorOf("isolation = \"some\""), HasSubstr("none, owner, all"));
  EXPECT_THAT(ErrorOf("host_access = true"), HasSubstr("must be a string"));
  for (const char* bad : {"53", "udp/0", "udp/65536", "sctp/1", "udp/", "udp/5 3", "udp/1/2"}) {
    EXPECT_THAT(ErrorOf("", {{"host_ports", bad}}), HasSubstr("udp/53")) << bad;
  }
  EXPECT_THAT(ErrorOf("host_ports = \"udp/53\""), HasSubstr("a list of strings"));
  EXPECT_THAT(ErrorOf("host_ports = [53]"), HasSubstr("a list of strings"));
  EXPECT_THAT(ErrorOf("host_ports = [\"udp/53,tcp/1\"]"), HasSubstr("not a valid list item"));
  EXPECT_THAT(ErrorOf("blocked_destinations = [\"10.0.0.1/8\"]"), HasSubstr("did you mean"));
}

TEST(ConfigTest, ReadsCallersByNameAndNumber) {
  const Config config = FromText(R"([callers]
allow_users = ["alice", "4711"]
allow_groups = ["kvm"]
admin_groups = ["ops"]
)")
                            .value();
  EXPECT_THAT(config.callers.users, ElementsAre(1000u, 4711u));
  EXPECT_THAT(config.callers.groups, ElementsAre(105u));
  EXPECT_THAT(config.callers.admin_groups, ElementsAre(27u));
  EXPECT_FALSE(config.callers.all_users);
  EXPECT_TRUE(FromText("", {{"allow_users", "*"}})->callers.all_users);
  EXPECT_THAT(FromText("", {{"allow_users", "alice,bob"}})->callers.users,
              ElementsAre(1000u, 1001u));
  EXPECT_THAT(ErrorOf("[callers]\nallow_users = [\"carol\"]"),
              AllOf(StartsWith("svnetd.toml:2: callers.allow_users: "),
                    HasSubstr("is not a user of this host")));
  EXPECT_THAT(ErrorOf("[callers]\nadmin_groups = [\"alice\"]"), HasSubstr("is not a group"));
  EXPECT_THAT(ErrorOf("allow_users = [\"alice\"]"), HasSubstr("belongs to [callers]"));
  EXPECT_THAT(ErrorOf("[callers]\nallow_user = [\"alice\"]"),
              HasSubstr("known keys: allow_users, allow_groups, admin_groups"));
}

TEST(ConfigTest, ReadsLimitsAndOverrides) {
  // Overrides stand before the defaults here, and start from them all the same.
  const Config config = FromText(R"([limits.users.alice]
taps_per_user = 500
[limits.groups.kvm]
connections_per_user = 7
queues_per_user = 9
[limits.users.4711]
taps_per_user = 0
[limits]
taps_per_user = 10
queues_per_user = 15
connections_per_user = 20
connections = 300
)")
                            .value();
  EXPECT_EQ(config.connections, 300u);
  const AdmissionRules& rules = config.callers;
  EXPECT_EQ(rules.limits, (CallerLimits{.taps = 10, .queues = 15, .connections = 20}));
  EXPECT_EQ(rules.user_limits.at(1000),
            (CallerLimits{.taps = 500, .queues = 15, .connections = 20}));
  EXPECT_EQ(rules.user_limits.at(4711), (CallerLimits{.taps = 0, .queues = 15, .connections = 20}));
  EXPECT_EQ(rules.group_limits.at(105), (CallerLimits{.taps = 10, .queues = 9, .connections = 7}));
  EXPECT_THAT(ErrorOf("[limits]\ntaps_per_user = -1"), HasSubstr("is not 0 to"));
  EXPECT_THAT(ErrorOf("[limits]\ntaps_per_user = \"9\""), HasSubstr("must be an integer"));
  EXPECT_THAT(ErrorOf("[limits]\nconnections_per_user = 0"), HasSubstr("is not 1 to"));
  EXPECT_EQ(FromText("")->guest_connections, 4096u);
  EXPECT_EQ(FromText("")->owner_connections, std::nullopt);
  EXPECT_EQ(FromText("[limits]\nowner_connections = \"auto\"")->owner_connections, std::nullopt);
  EXPECT_EQ(FromText("[limits]\nowner_connections = 0")->owner_connections, 0u);
  EXPECT_EQ(FromText("", {{"guest_connections", "9"}})->guest_connections, 9u);
  EXPECT_THAT(ErrorOf("[limits]\nguest_connections = \"auto\""), HasSubstr("must be an integer"));
  EXPECT_THAT(ErrorOf("[limits]\ntaps = 9"), HasSubstr("[limits.users.NAME]"));
  EXPECT_THAT(ErrorOf("[limits.users.carol]\ntaps_per_user = 9"),
              AllOf(StartsWith("svnetd.toml:1: limits.users.carol: "), HasSubstr("is not a user")));
  EXPECT_THAT(ErrorOf("[limits.users.alice]\ntaps = 9"),
              StartsWith("svnetd.toml:2: limits.users.alice.taps: unknown key"));
  EXPECT_THAT(ErrorOf("[limits.users]\nalice = 9"), HasSubstr("must be a table"));
  EXPECT_THAT(ErrorOf("limits = 9"), StartsWith("svnetd.toml:1: limits: "));
}

TEST(ConfigTest, RefusesUnusableSubnets) {
  for (const char* bad : {"10.0.0.0/7", "10.0.0.0/31", "10.0.0.0/32", "0.0.0.0/8", "127.0.0.0/24",
                          "224.0.0.0/24", "240.0.0.0/8", "10.0.0.1/24", "10.0.0.0", "fd00::/64"}) {
    EXPECT_THAT(ErrorOf("", {{"subnet", bad}}), StartsWith("--subnet: ")) << bad;
  }
  for (const char* good : {"10.0.0.0/8", "10.9.9.4/30", "192.168.1.64/26", "100.64.0.0/10"}) {
    EXPECT_TRUE(FromText("", {{"subnet", good}}).ok()) << good;
  }
}

TEST(ConfigTest, NeedsNoRestartForKeysThatAReloadApplies) {
  const Config running = FromText("").value();
  EXPECT_THAT(KeysThatNeedRestart(running, running), IsEmpty());
  const Config reloadable =
      FromText(
          "log_level = \"debug\"\nmanage_foreign_firewalls = true\n"
          "[callers]\nallow_users = [\"alice\"]\n"
          "allow_groups = [\"kvm\"]\nadmin_groups = [\"ops\"]\n"
          "[limits]\ntaps_per_user = 1\nconnections_per_user = 2\n"
          "queues_per_user = 4\nconnections = 3\n[limits.users.bob]\ntaps_per_user = 4\n")
          .value();
  EXPECT_THAT(KeysThatNeedRestart(running, reloadable), IsEmpty());
}

TEST(ConfigTest, NeedsARestartForAllOtherKeys) {
  const Config running = FromText("").value();
  const Config next = FromText(R"(socket = "/tmp/s.sock"
socket_group = ""
kind = "routed"
bridge = "br-vm"
subnet = "10.0.0.0/8"
mtu = 9000
gateway_mac = "02:00:00:00:00:01"
state_dir = "/tmp/state"
metrics_listen = "127.0.0.1:9464"
isolation = "all"
host_access = "deny"
host_ports = ["udp/53"]
local_access = "owner"
blocked_destinations = []
[limits]
guest_connections = 1
owner_connections = 2
)")
                          .value();
  EXPECT_THAT(KeysThatNeedRestart(running, next),
              ElementsAre("socket", "socket_group", "kind", "bridge", "subnet", "mtu",
                          "gateway_mac", "state_dir", "metrics_listen", "isolation", "host_access",
                          "host_ports", "local_access", "blocked_destinations", "guest_connections",
                          "owner_connections"));
  EXPECT_THAT(
      KeysThatNeedRestart(next, FromText("bridge = \"br-vm\"").value()),
      ElementsAre("socket", "socket_group", "kind", "subnet", "mtu", "gateway_mac", "state_dir",
                  "metrics_listen", "isolation", "host_access", "host_ports", "local_access",
                  "blocked_destinations", "guest_connections", "owner_connections"));
}

TEST(ConfigTest, AReloadNamesOnlyWhatChanged) {
  const Config running = FromText("").value();
  EXPECT_THAT(KeysThatReloadApplies(running, running), IsEmpty());
  EXPECT_THAT(KeysThatReloadApplies(running, FromText("mtu = 9000").value()), IsEmpty());
  const Config next = FromText(
                          "log_level = \"debug\"\n[callers]\nallow_users = [\"*\"]\n"
                          "[limits]\ntaps_per_user = 1\n[limits.groups.kvm]\ntaps_per_user = 4\n")
                          .value();
  EXPECT_THAT(KeysThatReloadApplies(running, next),
              ElementsAre("log_level", "allow_users", "taps_per_user", "[limits.groups]"));
}

std::variant<Config, EarlyExit> Load(std::vector<const char*> argv) {
  argv.insert(argv.begin(), "svnetd");
  return LoadConfig(static_cast<int>(argv.size()), argv.data());
}

TEST(ConfigTest, ExplainsWrongUsageInSentences) {
  const auto text = [](std::vector<const char*> argv) {
    const EarlyExit exit = std::get<EarlyExit>(Load(std::move(argv)));
    EXPECT_EQ(exit.code, 2);
    return exit.text;
  };
  EXPECT_THAT(text({"--brigde=x"}),
              StartsWith("svnetd: there is no flag --brigde: did you mean --bridge?\n"));
  EXPECT_THAT(text({"start"}), StartsWith("svnetd: svnetd takes only flags, and \"start\""));
  EXPECT_THAT(text({"--bridge"}), StartsWith("svnetd: --bridge needs a value\n"));
  EXPECT_THAT(text({"--mtu=900", "--mtu=901"}),
              StartsWith("svnetd: --mtu is given more than once\n"));
}

TEST(ConfigTest, ChecksWithoutServing) {
  EXPECT_EQ(std::get<EarlyExit>(Load({"--check", "--config", "/dev/null"})).code, 0);
  EXPECT_EQ(std::get<EarlyExit>(Load({"--check", "--config", "/dev/null"})).text,
            "svnetd: /dev/null has no errors\n");
  const EarlyExit wrong =
      std::get<EarlyExit>(Load({"--check", "--config", "/dev/null", "--mtu=1"}));
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.text, StartsWith("svnetd: --mtu: "));
}

TEST(ConfigTest, LoadsTheCommandLine) {
  const auto& load = Load;
  EXPECT_EQ(std::get<EarlyExit>(load({"--help"})).code, 0);
  EXPECT_EQ(std::get<EarlyExit>(load({"--version"})).text, "svnetd " SVNET_VERSION "\n");
  EXPECT_EQ(std::get<EarlyExit>(load({"--nonsense"})).code, 2);
  EXPECT_EQ(std::get<EarlyExit>(load({"--config", "/nonexistent.toml"})).code, 2);
  EXPECT_EQ(std::get<EarlyExit>(load({"--config", "/dev"})).code, 2);
  EXPECT_EQ(std::get<Config>(load({"--config", "/dev/null", "--bridge=b"}))
                .default_network()
                .bridge.text(),
            "b");
  // Who makes gates needs no configuration.
  EXPECT_TRUE(std::get<Config>(load({"--config", "/nonexistent.toml", "--gates"})).serve_gates);
  EXPECT_EQ(std::get<Config>(load({"--config", "/dev/null", "--gates-socket=/run/g"})).gates_socket,
            "/run/g");
}

}  // namespace
}  // namespace svnet
