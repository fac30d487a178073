// The addresses that guests can get.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "daemon/base/ipv4.h"

namespace svnet {

// Of a prefix, the first host: the bridge's own address.
Ipv4Address GatewayOf(const Ipv4Prefix& prefix);

// Every host of a prefix but the gateway. Next-fit: it moves on, so that an address
// just freed is the last to come again. Costs memory for what is leased or was, not
// for what there is. Not thread-safe.
class AddressPool {
 public:
  // `prefix` is at most a /30: there is at least one address.
  explicit AddressPool(const Ipv4Prefix& prefix);

  // The address to lease next; nullopt if there is none. First those never leased,
  // upwards from the last one; then the freed, the longest unused first.
  std::optional<Ipv4Address> PickNext() const;

  // Leases that one. INVALID_ADDRESS if it is not one of the pool, ADDRESS_IN_USE if it is
  // taken.
  absl::Status Take(Ipv4Address address);

  // As Take, for what an earlier svnetd leased: PickNext goes on after the highest.
  absl::Status Adopt(Ipv4Address address);

  // Does nothing to an address that is not leased.
  void Free(Ipv4Address address);

  // Says whether Take would be OK, and changes nothing.
  absl::Status Check(Ipv4Address address) const;

  // Not for guests from now on, since the host has it; nothing if it is leased.
  void Reserve(Ipv4Address address);

  // Those that guests can have, leased or not.
  uint32_t total() const { return size_ - static_cast<uint32_t>(reserved_.size()); }
  uint32_t used() const { return static_cast<uint32_t>(leased_.size()); }

 private:
  uint32_t OffsetOf(Ipv4Address address) const { return address.value() - first_.value(); }
  bool IsUnseen(Ipv4Address address) const;
  std::optional<Ipv4Address> NextUnseen() const;
  std::optional<Ipv4Address> LongestFreed() const;
  void ForgetFreed(Ipv4Address address);

  // How many freed addresses are kept apart; beyond that the oldest count as never
  // leased. Bounds memory, and the search for one never leased.
  static constexpr size_t kMaxFreed = 65'536;

  Ipv4Address first_;  // the gateway's successor
  uint32_t size_;
  uint32_t cursor_ = 0;  // offset from first_ at which the next search begins
  absl::flat_hash_set<Ipv4Address> leased_;
  absl::flat_hash_set<Ipv4Address> reserved_;
  uint64_t frees_ = 0;                                   // how many there were: a clock
  std::map<uint64_t, Ipv4Address> freed_;                // by when
  absl::flat_hash_map<Ipv4Address, uint64_t> freed_at_;  // the same, by address
};

}  // namespace svnet
