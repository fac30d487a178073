// What the rules know of a guest and of the bridge.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/base/guest_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/network_name.h"

namespace svnet {

// What the guest on a port may send: frames of this MAC and this address, and nothing
// else. A port without one may send nothing.
struct Binding {
  int ifindex;
  MacAddress mac;
  Ipv4Address ip;
  // Ports of one zone reach each other; those of two never.
  uint32_t zone;
  // Whose connections count together: the lease's owner.
  uint32_t owner = 0;
  // What the guest believes instead; only on routed networks.
  std::optional<GuestView> view = {};

  friend bool operator==(const Binding&, const Binding&) = default;
};

// The bridge as the rules know it: one that is made anew needs new rules.
struct GuestBridge {
  int ifindex;
  MacAddress mac;  // the gateway's

  friend bool operator==(const GuestBridge&, const GuestBridge&) = default;
};

// A network as the rules are made for it: those that have none are not served.
struct NetworkGuests {
  NetworkName name = {};
  GuestBridge bridge;
  std::vector<Binding> bindings = {};
};

// Whether any of those guests has a view: then the rules turn addresses.
bool HaveViews(const std::vector<NetworkGuests>& networks);

// What the host forwards between two links of which neither is a network's: whatever it
// would without svnetd, or nothing. The latter is also the record, for a later svnetd, that
// svnetd has turned forwarding on.
enum class OtherForwarding { kAsItIs, kClosed };

}  // namespace svnet
