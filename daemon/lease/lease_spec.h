// What was granted to a lease.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "daemon/base/guest_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lifetime.h"

namespace svnet {

// drivers/net/tun.c: MAX_TAP_QUEUES.
inline constexpr int kMaxQueues = 256;

// What a lease is held for. No two leases have the same key.
struct LeaseKey {
  uid_t owner;
  VmId vm;
  IfaceId iface;

  friend auto operator<=>(const LeaseKey&, const LeaseKey&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const LeaseKey& key) {
    return H::combine(std::move(state), key.owner, key.vm, key.iface);
  }
};

// The name of the TAP, exactly what its alias says (alias.h), and what the text says that the alias
// names. What the holder of a TAP can change never changes it.
struct LeaseSpec {
  NetworkName network = {};
  LeaseKey key;
  LinkName tap;
  Ipv4Address ip;
  MacAddress mac;  // the guest's
  int queues = 1;  // pairs, 1 to kMaxQueues; above 1 the TAP is multi-queue
  std::optional<gid_t> group;
  Lifetime lifetime;
  int64_t create_time = 0;  // Unix seconds
  uint32_t generation = 1;  // from 1
  // SpecDigest of the text in the store that says what else was granted (spec_text.h); empty:
  // nothing else was.
  std::string text_digest = {};
  // From that text; only on routed networks.
  std::optional<GuestView> view = {};

  friend bool operator==(const LeaseSpec&, const LeaseSpec&) = default;
};

// What it counts against a quota of queues: a TAP that is not multi-queue counts as a TAP only.
inline uint32_t CountedQueues(const LeaseSpec& spec) {
  return spec.queues > 1 ? static_cast<uint32_t>(spec.queues) : 0;
}

// What is behind its TAP: the guest has this address and this MAC.
inline Ipv4Address GuestAddressOf(const LeaseSpec& spec) {
  return spec.view.has_value() ? spec.view->address : spec.ip;
}
inline MacAddress GuestMacOf(const LeaseSpec& spec) {
  return spec.view.has_value() ? spec.view->mac : spec.mac;
}
// What it takes for its own network, on a network of that prefix.
inline Ipv4Prefix GuestPrefixOf(const LeaseSpec& spec, const Ipv4Prefix& network) {
  return spec.view.has_value()
             ? Ipv4Prefix::Containing(spec.view->address, spec.view->prefix_length)
             : network;
}
// The MAC of the TAP itself, on a network where that is usually `usual`.
inline MacAddress TapMacOf(const LeaseSpec& spec, const MacAddress& usual) {
  return spec.view.has_value() ? spec.view->gateway_mac.value_or(usual) : usual;
}

}  // namespace svnet
