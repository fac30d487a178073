// The leases that stand.
#pragma once

#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "daemon/network/lease.h"

namespace svnet {

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
  bool HasMac(const MacAddress& mac) const { return macs_.contains(mac); }
  // How many leases `owner` has.
  uint32_t CountOf(uid_t owner) const;
  size_t size() const { return by_tap_.size(); }

  // By TAP name.
  const std::map<LinkName, Lease>& all() const { return by_tap_; }

 private:
  std::map<LinkName, Lease> by_tap_;
  absl::flat_hash_map<LeaseKey, LinkName> by_key_;
  absl::flat_hash_map<uid_t, uint32_t> counts_;  // by owner; none is zero
  absl::flat_hash_set<MacAddress> macs_;
  absl::flat_hash_map<Ipv4Address, LinkName> by_ip_;
  absl::flat_hash_map<Ifindex, LinkName> by_ifindex_;
};

}  // namespace svnet
