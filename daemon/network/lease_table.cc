#include "daemon/network/lease_table.h"

#include <utility>

namespace svnet {

bool LeaseTable::Insert(const Lease& lease) {
  if (by_tap_.contains(lease.tap) || by_key_.contains(lease.key) || macs_.contains(lease.mac) ||
      by_ip_.contains(lease.ip) || by_ifindex_.contains(lease.ifindex)) {
    return false;
  }
  by_tap_.emplace(lease.tap, lease);
  by_key_.emplace(lease.key, lease.tap);
  ++counts_[lease.key.owner];
  macs_.insert(lease.mac);
  by_ip_.emplace(lease.ip, lease.tap);
  by_ifindex_.emplace(lease.ifindex, lease.tap);
  return true;
}

void LeaseTable::Erase(const LinkName& tap) {
  const auto at = by_tap_.find(tap);
  if (at == by_tap_.end()) return;
  const auto count = counts_.find(at->second.key.owner);
  if (--count->second == 0) counts_.erase(count);
  by_key_.erase(at->second.key);
  macs_.erase(at->second.mac);
  by_ip_.erase(at->second.ip);
  by_ifindex_.erase(at->second.ifindex);
  by_tap_.erase(at);
}

uint32_t LeaseTable::CountOf(uid_t owner) const {
  const auto count = counts_.find(owner);
  return count == counts_.end() ? 0 : count->second;
}

Lease* LeaseTable::Find(const LeaseKey& key) {
  const auto at = by_key_.find(key);
  return at == by_key_.end() ? nullptr : Find(at->second);
}

Lease* LeaseTable::FindByIfindex(Ifindex tap) {
  const auto at = by_ifindex_.find(tap);
  return at == by_ifindex_.end() ? nullptr : Find(at->second);
}

Lease* LeaseTable::FindByIp(Ipv4Address ip) {
  const auto at = by_ip_.find(ip);
  return at == by_ip_.end() ? nullptr : Find(at->second);
}

Lease* LeaseTable::Find(const LinkName& tap) {
  return const_cast<Lease*>(std::as_const(*this).Find(tap));
}

const Lease* LeaseTable::Find(const LinkName& tap) const {
  const auto at = by_tap_.find(tap);
  return at == by_tap_.end() ? nullptr : &at->second;
}

}  // namespace svnet
