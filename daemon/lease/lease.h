// What svnetd leases.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lifetime.h"

namespace svnet {

// drivers/net/tun.c: MAX_TAP_QUEUES.
inline constexpr int kMaxQueues = 256;

// What a lease is held for: never two of one key.
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

// A TAP + guest address + guest MAC. It exists if and only if the TAP does.
struct Lease {
  LeaseKey key;
  LinkName tap;
  Ifindex ifindex;
  Ipv4Address ip;
  MacAddress mac;
  int queues = 1;  // pairs, 1 to kMaxQueues; above 1 the TAP is multi-queue
  std::optional<gid_t> group;
  uint32_t mtu = 0;  // bytes
  Lifetime lifetime;
  int64_t create_time = 0;  // Unix seconds
  uint32_t generation = 1;
  bool attached = false;
  bool was_attached = false;  // at some time
  Ifindex bridge = 0;         // whose port it is; 0: none's
  bool pinned = false;        // see Link

  friend bool operator==(const Lease&, const Lease&) = default;
};

// What it counts for against a quota of queues: a TAP that is not multi-queue is one of the
// TAPs, and no more.
inline uint32_t QueuesThatCount(const Lease& lease) {
  return lease.queues > 1 ? static_cast<uint32_t>(lease.queues) : 0;
}

}  // namespace svnet
