// What the configuration says of a network.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/lease/isolation.h"

namespace svnet {

struct NetworkSettings {
  LinkName bridge;
  Ipv4Prefix prefix;            // at most a /30
  std::optional<uint32_t> mtu;  // bytes; nullopt: the uplink's
  MacAddress bridge_mac;        // of a bridge that svnetd makes
  Isolation isolation = Isolation::kOwner;
};

}  // namespace svnet
