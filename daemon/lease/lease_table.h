// The leases of a network, found by each of their names.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "daemon/lease/lease.h"

namespace svnet {

// What counts against an owner's quotas.
struct Holdings {
  uint32_t taps = 0;
  uint32_t queues = 0;  // of multi-queue TAPs

  Holdings& operator+=(const Holdings& other) {
    taps += other.taps;
    queues += other.queues;
    return *this;
  }
  friend bool operator==(const Holdings&, const Holdings&) = default;
};

// No two leases have the same key, TAP name, ifindex, address or MAC. Pointers stay valid until
// that lease is erased. Not thread-safe.
class LeaseTable {
 public:
  // False, and nothing is done, if another lease has the key, the name, the ifindex, the address
  // or the MAC.
  bool Insert(const Lease& lease);
  // Nothing if there is none.
  void Erase(const LinkName& tap);
  // Of the lease with the TAP `state.ifindex`; nothing if there is none.
  void SetState(const TapState& state);
  // Replaces what was granted to the lease of that TAP name, but for what leases are found by;
  // nothing if there is none.
  void SetSpec(const LeaseSpec& spec);

  // nullptr if there is none.
  const Lease* Find(const LeaseKey& key) const;
  const Lease* Find(const LinkName& tap) const;
  const Lease* FindByIfindex(Ifindex tap) const;
  const Lease* FindByIp(Ipv4Address ip) const;
  const Lease* FindByMac(const MacAddress& mac) const;
  bool HasIp(Ipv4Address ip) const { return by_ip_.contains(ip); }
  bool HasMac(const MacAddress& mac) const { return by_mac_.contains(mac); }
  Holdings HoldingsOf(uid_t owner) const;
  size_t size() const { return by_tap_.size(); }
  // The digests of the texts that leases name, and how many leases name each.
  const std::map<std::string, size_t>& texts() const { return texts_; }

  // By TAP name.
  const std::map<LinkName, Lease>& all() const { return by_tap_; }

 private:
  void CountText(const std::string& digest);
  void DiscountText(const std::string& digest);

  std::map<LinkName, Lease> by_tap_;
  absl::flat_hash_map<LeaseKey, LinkName> by_key_;
  absl::flat_hash_map<uid_t, Holdings> holdings_;  // by owner; none is without TAPs
  absl::flat_hash_map<MacAddress, LinkName> by_mac_;
  absl::flat_hash_map<Ipv4Address, LinkName> by_ip_;
  absl::flat_hash_map<Ifindex, LinkName> by_ifindex_;
  std::map<std::string, size_t> texts_;
};

}  // namespace svnet
