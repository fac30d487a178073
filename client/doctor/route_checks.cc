// The bridge, the uplinks, and who else has the prefix's addresses.
#include <jansson.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

constexpr char kConfig[] = "/etc/svnet/svnetd.toml";
constexpr char kDockerConfig[] = "/etc/docker/daemon.json";

// What Docker takes without a configuration (its network-overview documentation).
constexpr const char* kDockerPools[] = {"172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16",
                                        "172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14",
                                        "192.168.0.0/16"};

std::string NameOf(const Observed& observed, int ifindex) {
  const HostLink* link = FindLink(observed, ifindex);
  return link == nullptr ? absl::StrCat("number ", ifindex) : link->name;
}

Ipv4Address GatewayOf(const Ipv4Prefix& prefix) {
  return Ipv4Address(prefix.network().value() + 1);
}

// 0.0.0.0/1 and 128.0.0.0/1 say "everywhere", as a default route does: VPNs have them.
constexpr int kShortestPlace = 2;

// What of others has addresses of `prefix`.
std::optional<std::string> FindOverlap(const Observed& observed, const Ipv4Prefix& prefix) {
  const HostLink* bridge = FindLink(observed, observed.bridge);
  const int ours = bridge == nullptr ? 0 : bridge->ifindex;
  for (const HostAddress& address : observed.addresses) {
    const auto place = Ipv4Prefix::Containing(address.address, address.prefix_length);
    if (address.ifindex == ours || !place.Overlaps(prefix)) continue;
    return absl::StrCat("the address ", address.address.ToString(), "/", address.prefix_length,
                        " of ", NameOf(observed, address.ifindex));
  }
  for (const HostRoute& route : observed.routes) {
    if (route.ifindex == ours || route.destination.length() < kShortestPlace) continue;
    if (!route.destination.Overlaps(prefix)) continue;
    return absl::StrCat("the route ", route.destination.ToString(), " by ",
                        NameOf(observed, route.ifindex));
  }
  return std::nullopt;
}

// A /24 between 172.30.0.0 and 172.31.255.0, or of 10.213.0.0/16, that nobody has.
std::string SuggestPrefix(const Observed& observed) {
  for (const uint32_t base : {0xac1e0000u, 0xac1f0000u, 0x0ad50000u}) {
    for (uint32_t third = 0; third < 256; ++third) {
      const auto prefix = Ipv4Prefix::Containing(Ipv4Address(base + (third << 8)), 24);
      if (!FindOverlap(observed, prefix).has_value()) return prefix.ToString();
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

// nullopt: the file names none.
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

// Sets a key of svnetd's, not of one of its tables. The file may be absent, or set the key
// already: twice is no TOML.
std::string SetKey(const Observed& observed, const std::string& key, const std::string& value) {
  const std::string line = absl::StrCat(key, " = ", value);
  const absl::StatusOr<std::string> config = observed.host.ReadFile(kConfig);
  if (config.value_or("").empty()) {
    return absl::StrCat("mkdir -p /etc/svnet && echo '", line, "' > ", kConfig);
  }
  if (absl::StrContains("\n" + *config, absl::StrCat("\n", key, " "))) {
    return absl::StrCat("sed -i 's|^", key, " .*|", line, "|' ", kConfig);
  }
  return absl::StrCat("sed -i '1i ", line, "' ", kConfig);
}

// What the bridge has of the old one would stand in the way.
std::string ChangeSubnet(const Observed& observed) {
  const std::string quoted = absl::StrCat("\"", SuggestPrefix(observed), "\"");
  const bool in_use = observed.svnetd.network.bridge_up();
  return absl::StrCat(SetKey(observed, "subnet", quoted),
                      in_use ? " && svnetctl cleanup --network" : "",
                      " && systemctl restart svnetd");
}

bool HasDocker(const Observed& observed) {
  return FindLink(observed, "docker0") != nullptr || observed.host.Stat("/run/docker.sock").ok() ||
         observed.host.Stat(kDockerConfig).ok();
}

}  // namespace

Findings CheckDefaultRoute(const Observed& observed) {
  if (!observed.netlink.ok()) return NotChecked(std::string(observed.netlink.message()));
  const std::vector<const HostLink*> uplinks = Uplinks(observed);
  if (!uplinks.empty()) {
    return Ok(absl::StrCat("the default route leads to ", uplinks.front()->name));
  }
  return Warning("there is no default route: guests reach only the host and its neighbours",
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
                      name + " has no carrier: plug it in, or see to what is at its other end", ""}
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
        absl::StrCat("there is no ", observed.bridge, ": svnetd makes it with the first TAP"));
  }
  if (bridge->kind != "bridge") {
    return Problem(absl::StrCat("link ", observed.bridge, " is no bridge"),
                   absl::StrCat("ip link delete ", observed.bridge));
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

// svnetd keeps the MTU that guests were told, whatever becomes of the uplink's.
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
      absl::StrCat(bridge->name, " takes packets of ", bridge->mtu, " bytes and ", uplink.name,
                   " only of ", uplink.mtu,
                   ": large ones are cut up or lost; guests need the new value, too"),
      SetKey(observed, "mtu", absl::StrCat(uplink.mtu)) + " && systemctl restart svnetd");
}

Findings CheckPrefix(const Observed& observed) {
  if (!observed.netlink.ok()) return NotChecked(std::string(observed.netlink.message()));
  const std::optional<std::string> overlap = FindOverlap(observed, observed.prefix);
  if (!overlap.has_value()) {
    return Ok(
        absl::StrCat("only ", observed.bridge, " has addresses of ", observed.prefix.ToString()));
  }
  return Problem(absl::StrCat(observed.prefix.ToString(), " overlaps ", *overlap,
                              ": guests need new addresses, and to be started again"),
                 ChangeSubnet(observed));
}

// Docker looks for addresses in use before it takes some; what it can take is what
// svnetd has not taken yet.
Findings CheckDockerPools(const Observed& observed) {
  if (!HasDocker(observed)) return Ok("there is no Docker");
  const auto json = observed.host.ReadFile(kDockerConfig);
  const auto configured = ConfiguredPools(json.value_or(""));
  const std::vector<Ipv4Prefix> pools =
      configured.value_or(ParseAll({std::begin(kDockerPools), std::end(kDockerPools)}));
  const bool overlaps = std::any_of(pools.begin(), pools.end(), [&](const Ipv4Prefix& pool) {
    return pool.Overlaps(observed.prefix);
  });
  if (!overlaps) return Ok("Docker's address pools are elsewhere");
  if (FindLink(observed, observed.bridge) != nullptr) {
    return Ok(absl::StrCat("Docker's address pools hold ", observed.prefix.ToString(),
                           ", but Docker leaves alone what ", observed.bridge, " has"));
  }
  const std::string pool = R"("default-address-pools": [{"base": "10.215.0.0/16", "size": 24}])";
  return Warning(
      absl::StrCat("Docker may take ", observed.prefix.ToString(),
                   " for a network of its own before the first TAP is made",
                   json.ok() ? absl::StrCat("; into ", kDockerConfig, " belongs ", pool) : ""),
      json.ok() ? absl::StrCat("editor ", kDockerConfig)
                : absl::StrCat("mkdir -p /etc/docker && echo '{", pool, "}' > ", kDockerConfig,
                               " && systemctl restart docker"));
}

}  // namespace svnet::client
