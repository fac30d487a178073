// A network of the configuration.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "daemon/base/guest_access.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/network_kind.h"
#include "daemon/base/network_name.h"

namespace svnet {

struct NetworkConfig {
  NetworkName name;
  NetworkKind kind = NetworkKind::kBridge;
  LinkName bridge = LinkName::Parse("svbr0").value();
  Ipv4Prefix subnet = Ipv4Prefix::Parse("172.30.0.0/24").value();  // /8 to /30
  std::optional<uint32_t> mtu;            // bytes, 576 to 65521; nullopt: "auto", the uplink's MTU
  std::optional<MacAddress> gateway_mac;  // of one station; nullopt: "auto"

  Isolation isolation = Isolation::kOwner;
  bool host_access = true;
  LocalAccess local_access = LocalAccess::kAll;
  std::vector<HostPort> host_ports;
  std::vector<Ipv4Prefix> blocked_destinations = {Ipv4Prefix::Parse("169.254.0.0/16").value()};
  // Networks that may reach this one, if they name it as well. They exist, and this is not one.
  std::set<NetworkName> peers;

  // Who of those that are admitted may use it; both empty: all of them.
  std::set<uid_t> users;
  std::set<gid_t> groups;

  // It has gone from the configuration, and is kept for what it has left.
  bool closed = false;

  bool IsForAll() const { return users.empty() && groups.empty(); }
};

// nullptr: none has that name.
inline const NetworkConfig* FindNetwork(const std::vector<NetworkConfig>& networks,
                                        const NetworkName& name) {
  for (const NetworkConfig& network : networks) {
    if (network.name == name) return &network;
  }
  return nullptr;
}

}  // namespace svnet
