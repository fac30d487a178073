// Whose packets other programs' firewalls have to let through.
#pragma once

#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/network_kind.h"

namespace svnet {

// The packets of one network's guests, as the host's forward hook sees them.
struct GuestTraffic {
  NetworkKind kind;
  LinkName bridge;  // the link that packets come from and go to, if the kind is kBridge
  Ipv4Prefix prefix;

  friend bool operator==(const GuestTraffic&, const GuestTraffic&) = default;
};

}  // namespace svnet
