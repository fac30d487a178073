// The bridge, the uplinks, and other links and routes that have the prefix's addresses.
#include <jansson.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/doctor/checks.h"
#include "client/doctor/config_edit.h"
#include "daemon/address/address_pool.h"
#include "daemon/address/host_network.h"
#include "daemon/base/network_name.h"

namespace svnet::client {
namespace {

constexpr char kDockerConfig[] = "/etc/docker/daemon.json";

// Docker's default address pools (its network-overview documentation).
constexpr const char* kDockerPools[] = {"172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16",
                                        "172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14",
                                        "192.168.0.0/16"};

// What has addresses of `prefix`, other than the bridge.
std::optional<std::string> FindOverlap(const Observed& observed, const Ipv4Prefix& prefix) {
  const HostLink* bridge = FindLink(observed, observed.bridge);
  return FindConflict(observed.network, prefix, bridge == nullptr ? 0 : bridge->ifindex);
}

// Which of the networks is looked at.
int IndexOf(const Observed& observed) {
  const auto& networks = observed.svnetd.networks;
  const auto found = std::find_if(networks.begin(), networks.end(), [&](const auto& network) {
    return NameOf(network) == NameOf(observed.subject);
  });
  return found == networks.end() ? 0 : static_cast<int>(found - networks.begin());
}

bool IsOfANetwork(const Observed& observed, const Ipv4Prefix& prefix) {
  const auto& networks = observed.svnetd.networks;
  return std::any_of(networks.begin(), networks.end(), [&](const auto& network) {
    const absl::StatusOr<Ipv4Prefix> its = Ipv4Prefix::Parse(network.prefix());
    return its.ok() && its->Overlaps(prefix);
  });
}

// A /24 between 172.30.0.0 and 172.31.255.0, or of 10.213.0.0/16, that nothing on the host has, and
// that is suggested for no other network.
std::string SuggestPrefix(const Observed& observed) {
  int others = IndexOf(observed);
  for (const uint32_t base : {0xac1e0000u, 0xac1f0000u, 0x0ad50000u}) {
    for (uint32_t third = 0; third < 256; ++third) {
      const auto prefix = Ipv4Prefix::Containing(Ipv4Address(base + (third << 8)), 24);
      const bool is_taken =
          FindOverlap(observed, prefix).has_value() || IsOfANetwork(observed, prefix);
      if (!is_taken && others-- == 0) return prefix.ToString();
    }
  }
  return "10.214.0.0/24";
}

std::vector<Ipv4Prefix> ParseAll(const std::vector<std::string>& texts) {
  std::vector<Ipv4Prefix> prefixes;
  for (const std::string& text : texts) {
    if (const auto prefix = Ipv4Prefix::Parse(text); prefix.ok()) prefixes.push_back(*prefix);
  }
  return prefixes;
}

struct FreeJson {
  void operator()(json_t* json) const { json_decref(json); }
};

// nullopt: the file does not name any.
std::optional<std::vector<Ipv4Prefix>> ConfiguredPools(const std::string& json) {
  const std::unique_ptr<json_t, FreeJson> config(json_loads(json.c_str(), 0, nullptr));
  const json_t* pools = json_object_get(config.get(), "default-address-pools");
  if (pools == nullptr) return std::nullopt;
  std::vector<std::string> bases;
  for (size_t i = 0; i < json_array_size(pools); ++i) {
    const char* base = json_string_value(json_object_get(json_array_get(pools, i), "base"));
    if (base != nullptr) bases.push_back(base);
  }
  return ParseAll(bases);
}

std::string FreeBridgeName(const Observed& observed) {
  const std::vector<std::string> bridges = Bridges(observed);
  int others = IndexOf(observed);
  for (int number = 1;; ++number) {
    const std::string name = absl::StrCat("svbr", number);
    const bool is_taken = FindLink(observed, name) != nullptr ||
                          std::find(bridges.begin(), bridges.end(), name) != bridges.end();
    if (!is_taken && others-- == 0) return name;
  }
}

// Without another network's name, it is about "default".
std::string CleanUp(const Observed& observed) {
  const std::string name = NameOf(observed.subject);
  return absl::StrCat("svnetctl cleanup --network",
                      name == NetworkName::kDefault ? "" : absl::StrCat(" --of ", name));
}

// The bridge still has the old prefix's address, so it is removed first.
std::string ChangeSubnet(const Observed& observed) {
  const std::string quoted = absl::StrCat("\"", SuggestPrefix(observed), "\"");
  return SetKeyAndRestart(observed, "subnet", quoted,
                          observed.subject.bridge_up() ? CleanUp(observed) : "");
}

bool HasDocker(const Observed& observed) {
  return FindLink(observed, "docker0") != nullptr || observed.host.Stat("/run/docker.sock").ok() ||
         observed.host.Stat(kDockerConfig).ok();
}

std::vector<Ipv4Prefix> PoolsOf(const std::string& json) {
  return ConfiguredPools(json).value_or(
      ParseAll({std::begin(kDockerPools), std::end(kDockerPools)}));
}

// Prefixes within these pools. Docker does not choose addresses that are in use, so that only a
// prefix without a bridge is at risk.
std::vector<std::string> FindAtRisk(Observed observed, const std::vector<Ipv4Prefix>& pools) {
  std::vector<std::string> at_risk;
  for (const v1::GetNetworkResponse& network : observed.examined) {
    LookAt(network, observed);
    const bool overlaps = std::any_of(pools.begin(), pools.end(), [&](const Ipv4Prefix& pool) {
      return pool.Overlaps(observed.prefix);
    });
    if (!overlaps || FindLink(observed, observed.bridge) != nullptr) continue;
    const std::string name = NameOf(network);
    at_risk.push_back(
        absl::StrCat(observed.prefix.ToString(),
                     name == NetworkName::kDefault ? "" : absl::StrCat(" (network ", name, ")")));
  }
  return at_risk;
}

// One that no network has addresses of.
std::string SuggestPool(const Observed& observed) {
  Ipv4Prefix pool = Ipv4Prefix::Containing(Ipv4Address(0x0ad70000), 16);
  while (IsOfANetwork(observed, pool)) {
    pool = Ipv4Prefix::Containing(Ipv4Address(pool.network().value() + 0x10000), 16);
  }
  return pool.ToString();
}

}  // namespace

Findings CheckDefaultRoute(const Observed& observed) {
  if (!observed.netlink.ok()) return NotChecked(std::string(observed.netlink.message()));
  const std::vector<const HostLink*> uplinks = Uplinks(observed);
  if (!uplinks.empty()) {
    return Ok(absl::StrCat("the default route leads to ", uplinks.front()->name));
  }
  return Warning("there is no default route: guests reach only the host and its local networks",
                 "ip route add default via ROUTER");
}

Findings CheckUplinkUp(const Observed& observed) {
  Findings findings;
  for (const HostLink* uplink : Uplinks(observed)) {
    if (uplink->up && uplink->carrier) continue;
    const std::string name = absl::StrCat("uplink ", uplink->name);
    findings.push_back(
        uplink->up
            ? Finding{Level::kProblem,
                      name + " has no carrier: check the cable and the device at its other end", ""}
            : Finding{Level::kProblem, name + " is down",
                      absl::StrCat("ip link set ", uplink->name, " up")});
  }
  if (!findings.empty()) return findings;
  return Uplinks(observed).empty() ? NotChecked("there is no uplink") : Ok("the uplink is up");
}

Findings CheckBridgeUp(const Observed& observed) {
  const HostLink* bridge = FindLink(observed, observed.bridge);
  if (bridge == nullptr) {
    return NotChecked(
        absl::StrCat("there is no ", observed.bridge, ": svnetd creates it with the first TAP"));
  }
  if (bridge->kind != "bridge") {
    return Problem(
        absl::StrCat("link ", observed.bridge,
                     " belongs to another program and is not a bridge: svnetd needs "
                     "another name for its bridge"),
        SetKeyAndRestart(observed, "bridge", absl::StrCat("\"", FreeBridgeName(observed), "\"")));
  }
  if (bridge->up) return Ok(absl::StrCat(observed.bridge, " is up"));
  return Problem(absl::StrCat(observed.bridge, " is down"),
                 absl::StrCat("ip link set ", observed.bridge, " up"));
}

Findings CheckBridgeAddress(const Observed& observed) {
  const HostLink* bridge = FindLink(observed, observed.bridge);
  if (bridge == nullptr) return NotChecked(absl::StrCat("there is no ", observed.bridge));
  const Ipv4Address gateway = GatewayOf(observed.prefix);
  for (const HostAddress& address : observed.addresses) {
    if (address.ifindex == bridge->ifindex && address.address == gateway) {
      return Ok(absl::StrCat(observed.bridge, " has ", gateway.ToString()));
    }
  }
  return Problem(absl::StrCat(observed.bridge, " lacks the gateway's address ", gateway.ToString()),
                 absl::StrCat("ip address add ", gateway.ToString(), "/", observed.prefix.length(),
                              " dev ", observed.bridge));
}

// svnetd keeps the MTU that guests were told, even if the uplink's changes.
Findings CheckMtu(const Observed& observed) {
  const HostLink* bridge = FindLink(observed, observed.bridge);
  const std::vector<const HostLink*> uplinks = Uplinks(observed);
  if (bridge == nullptr || uplinks.empty()) return NotChecked("there is no bridge or no uplink");
  const HostLink& uplink = *uplinks.front();
  if (bridge->mtu <= uplink.mtu) {
    return Ok(absl::StrCat(bridge->mtu, " bytes on ", bridge->name, ", ", uplink.mtu, " on ",
                           uplink.name));
  }
  return Warning(
      absl::StrCat(bridge->name, " has an MTU of ", bridge->mtu, " bytes and ", uplink.name,
                   " only ", uplink.mtu,
                   ": large packets are fragmented or lost; guests need the new value, too"),
      SetKeyAndRestart(observed, "mtu", absl::StrCat(uplink.mtu)));
}

Findings CheckPrefix(const Observed& observed) {
  if (!observed.netlink.ok()) return NotChecked(std::string(observed.netlink.message()));
  const std::optional<std::string> overlap = FindOverlap(observed, observed.prefix);
  if (!overlap.has_value()) {
    return Ok(
        absl::StrCat("only ", observed.bridge, " has addresses of ", observed.prefix.ToString()));
  }
  return Problem(absl::StrCat(observed.prefix.ToString(), " overlaps ", *overlap,
                              ": guests need new addresses. The fix ends all leases"),
                 ChangeSubnet(observed));
}

// Of all networks together, because one change of Docker's file is for all of them.
Findings CheckDockerPools(const Observed& observed) {
  if (!HasDocker(observed)) return Ok("Docker is not installed");
  if (observed.examined.empty()) return NotChecked("there is no network to examine");
  const auto json = observed.host.ReadFile(kDockerConfig);
  const std::vector<std::string> at_risk = FindAtRisk(observed, PoolsOf(json.value_or("")));
  if (at_risk.empty()) return Ok("Docker will not take addresses of svnet");
  const std::string pool = absl::StrCat(R"("default-address-pools": [{"base": ")",
                                        SuggestPool(observed), R"(", "size": 24}])");
  return Warning(
      absl::StrCat("Docker may take ", absl::StrJoin(at_risk, ", "),
                   " for a network of its own before the first TAP is made",
                   json.ok() ? absl::StrCat("; add to ", kDockerConfig, ": ", pool) : ""),
      json.ok() ? absl::StrCat("editor ", kDockerConfig)
                : absl::StrCat("mkdir -p /etc/docker && echo '{", pool, "}' > ", kDockerConfig,
                               " && systemctl restart docker"));
}

}  // namespace svnet::client
