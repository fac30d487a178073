// Which parts of the network do what leases need of them.
#pragma once

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

}  // namespace svnet
