// Which parts of networks do what leases need of them.
#pragma once

#include <map>

#include "daemon/base/network_name.h"

namespace svnet {

// All is well as long as there is no lease.
struct NetworkHealth {
  bool network = true;   // bridge, forwarding, neighbours
  bool firewall = true;  // the rules
  bool monitor = true;   // what the kernel says of changes is heard, and understood

  NetworkHealth& operator&=(const NetworkHealth& other) {
    network &= other.network;
    firewall &= other.firewall;
    monitor &= other.monitor;
    return *this;
  }

  friend bool operator==(const NetworkHealth&, const NetworkHealth&) = default;
};

using HealthOfNetworks = std::map<NetworkName, NetworkHealth>;

}  // namespace svnet
