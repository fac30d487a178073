// The leases that stand.
#pragma once

#include <map>

#include "absl/container/flat_hash_map.h"
#include "daemon/lease/lease.h"

namespace svnet {

// What counts against an owner's quotas.
struct Holdings {
  uint32_t taps = 0;
  uint32_t queues = 0;  // of those that are multi-queue
};

// Never two leases of one key, TAP name, address or MAC. Pointers stay valid until
// that lease is erased. Not thread-safe.
class LeaseTable {
 public:
  // False, and nothing is done, if a lease shares the key, the name, the ifindex, the
  // address or the MAC.
  bool Insert(const Lease& lease);
  // Nothing if there is none.
  void Erase(const LinkName& tap);

  // nullptr if there is none.
  Lease* Find(const LeaseKey& key);
  Lease* Find(const LinkName& tap);
  const Lease* Find(const LinkName& tap) const;
  Lease* FindByIfindex(Ifindex tap);
  Lease* FindByIp(Ipv4Address ip);
  bool HasIp(Ipv4Address ip) const { return by_ip_.contains(ip); }
  bool HasMac(const MacAddress& mac) const { return by_mac_.contains(mac); }
  Lease* FindByMac(const MacAddress& mac);
  // What `owner` has.
  Holdings HoldingsOf(uid_t owner) const;
  size_t size() const { return by_tap_.size(); }

  // By TAP name.
  const std::map<LinkName, Lease>& all() const { return by_tap_; }

 private:
  std::map<LinkName, Lease> by_tap_;
  absl::flat_hash_map<LeaseKey, LinkName> by_key_;
  absl::flat_hash_map<uid_t, Holdings> holdings_;  // by owner; none has no TAP
  absl::flat_hash_map<MacAddress, LinkName> by_mac_;
  absl::flat_hash_map<Ipv4Address, LinkName> by_ip_;
  absl::flat_hash_map<Ifindex, LinkName> by_ifindex_;
};

}  // namespace svnet
