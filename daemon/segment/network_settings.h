// What the configuration says of a network.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "daemon/base/guest_access.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/network_kind.h"
#include "daemon/base/network_name.h"

namespace svnet {

struct NetworkSettings {
  NetworkName name = {};
  NetworkKind kind = NetworkKind::kBridge;
  LinkName bridge;  // the bridge, or on a routed network the one without ports that has the gateway
  Ipv4Prefix prefix;            // at most a /30
  std::optional<uint32_t> mtu;  // bytes; nullopt: the uplink's
  MacAddress bridge_mac;        // of a bridge that svnetd makes
  // Of the TAPs of a routed network: what guests take for the gateway's; nullopt: kGatewayMac.
  std::optional<MacAddress> gateway_mac = std::nullopt;
  Isolation isolation = Isolation::kOwner;
  // It has gone from the configuration: it is kept for the leases that it has, and takes no others.
  bool closed = false;
  // Who of those that are admitted may use it; both empty: all of them. Administrators may.
  std::set<uid_t> users = {};
  std::set<gid_t> groups = {};
};

}  // namespace svnet
