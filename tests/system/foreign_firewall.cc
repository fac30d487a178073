#include "tests/system/foreign_firewall.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::testing {
namespace {

// Docker decides about traffic to containers.
constexpr char kBridgeAccepts[] =
    "-A DOCKER-USER -i svbr0 -o docker+ -m comment --comment svnet-svbr0 -j RETURN\n"
    "-A DOCKER-USER -i svbr0 -o br-+ -m comment --comment svnet-svbr0 -j RETURN\n"
    "-A DOCKER-USER -i svbr0 -m comment --comment svnet-svbr0 -j ACCEPT\n"
    "-A DOCKER-USER -o svbr0 -m comment --comment svnet-svbr0 -j ACCEPT\n";
constexpr char kRoutedAccepts[] =
    "-A DOCKER-USER -s 172.30.0.0/24 -i sv+ -o docker+ -m comment --comment svnet-svbr0 -j RETURN\n"
    "-A DOCKER-USER -s 172.30.0.0/24 -i sv+ -o br-+ -m comment --comment svnet-svbr0 -j RETURN\n"
    "-A DOCKER-USER -s 172.30.0.0/24 -i sv+ -m comment --comment svnet-svbr0 -j ACCEPT\n"
    "-A DOCKER-USER -d 172.30.0.0/24 -o sv+ -m comment --comment svnet-svbr0 -j ACCEPT\n";

ForeignFirewall DockerFirewall(const std::string& name, const std::string& program,
                               std::string (*make)(const std::string& program)) {
  const std::string commands = make(program);
  const bool legacy = program == "iptables-legacy";
  return {.name = name,
          .install =
              [commands] {
                Shell(commands);
                return nullptr;
              },
          // dockerd does less at its own start: here everything is created again.
          .reload = {absl::StrCat(program, " -F; ", program, " -X; ", commands)},
          .rules = absl::StrCat(program, "-save -t filter | ", kWithoutCounts),
          .settle = "",
          .blocks = absl::StrCat(
              "Docker drops traffic from guests: hook forward, chain FORWARD of ",
              legacy ? "iptables-legacy's table filter" : "table ip filter", ", by its policy"),
          .bridge = {.remedy = "-I DOCKER-USER -i svbr0 -j ACCEPT", .accept = kBridgeAccepts},
          .routed = {.remedy = "-I DOCKER-USER -s 172.30.0.0/24 -i sv+ -j ACCEPT",
                     .accept = kRoutedAccepts},
          .checks = {"docker", "legacy-iptables"}};
}

ForeignFirewall Ufw() {
  return {.name = "Ufw",
          .install = [] { return std::make_shared<EnabledUfw>(); },
          .reload = {"ufw reload"},
          .rules = absl::StrCat("iptables-save -t filter | ", kWithoutCounts),
          .settle = "",
          .blocks =
              "ufw drops traffic from guests: hook forward, chain FORWARD of table ip filter, "
              "by its policy",
          .bridge = {.remedy = "ufw route allow in on svbr0",
                     .accept = "-A ufw-user-forward -i svbr0 -m comment --comment svnet-svbr0"},
          .routed = {.remedy = "ufw route allow in on sv+ from 172.30.0.0/24",
                     .accept = "-A ufw-user-forward -s 172.30.0.0/24 -i sv+ -m comment --comment "
                               "svnet-svbr0 -j ACCEPT"},
          .checks = {"ufw"}};
}

ForeignFirewall FirewalldFirewall() {
  return {.name = "Firewalld",
          .install = [] { return std::make_shared<Firewalld>(); },
          .reload = {"firewall-cmd --reload", "firewall-cmd --complete-reload"},
          // A reload changes the order of its chains.
          .rules = "nft list table inet firewalld | sort",
          // It keeps the empty chains of a zone without interfaces.
          .settle = "firewall-cmd --complete-reload",
          .blocks =
              "firewalld drops traffic from guests: hook forward, chain filter_FWD_public of "
              "table inet firewalld, by a rule",
          .bridge = {.remedy = "--zone=trusted --add-interface=svbr0",
                     .accept = "iifname \"svbr0\" goto filter_FWD_svnet"},
          .routed = {.remedy = "--zone=trusted --add-source=172.30.0.0/24",
                     .accept = "ip saddr 172.30.0.0/24 goto filter_FWD_svnet"},
          .checks = {"firewalld"}};
}

}  // namespace

std::vector<ForeignFirewall> ForeignFirewalls() {
  return {DockerFirewall("Docker20Nft", "iptables-nft", Docker20),
          DockerFirewall("Docker28Nft", "iptables-nft", Docker28),
          DockerFirewall("Docker20Legacy", "iptables-legacy", Docker20),
          DockerFirewall("Docker28Legacy", "iptables-legacy", Docker28),
          Ufw(),
          FirewalldFirewall()};
}

EnabledUfw::EnabledUfw() { Shell("ufw --force enable"); }
EnabledUfw::~EnabledUfw() { Shell("ufw --force disable"); }

std::string CommandIn(const std::string& conditions) {
  const std::vector<std::string> parts = absl::StrSplit(conditions, absl::MaxSplits("run: ", 1));
  return parts.size() == 2 ? parts[1] : "false";
}

}  // namespace svnet::testing
