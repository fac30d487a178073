#include "daemon/lease/lease_table.h"

#include <utility>

namespace svnet {

bool LeaseTable::Insert(const Lease& lease) {
  if (by_tap_.contains(lease.tap) || by_key_.contains(lease.key) || by_mac_.contains(lease.mac) ||
      by_ip_.contains(lease.ip) || by_ifindex_.contains(lease.ifindex)) {
    return false;
  }
  by_tap_.emplace(lease.tap, lease);
  by_key_.emplace(lease.key, lease.tap);
  Holdings& holdings = holdings_[lease.key.owner];
  ++holdings.taps;
  holdings.queues += QueuesThatCount(lease);
  by_mac_.emplace(lease.mac, lease.tap);
  by_ip_.emplace(lease.ip, lease.tap);
  by_ifindex_.emplace(lease.ifindex, lease.tap);
  return true;
}

void LeaseTable::Erase(const LinkName& tap) {
  const auto at = by_tap_.find(tap);
  if (at == by_tap_.end()) return;
  const auto holdings = holdings_.find(at->second.key.owner);
  holdings->second.queues -= QueuesThatCount(at->second);
  if (--holdings->second.taps == 0) holdings_.erase(holdings);
  by_key_.erase(at->second.key);
  by_mac_.erase(at->second.mac);
  by_ip_.erase(at->second.ip);
  by_ifindex_.erase(at->second.ifindex);
  by_tap_.erase(at);
}

Holdings LeaseTable::HoldingsOf(uid_t owner) const {
  const auto holdings = holdings_.find(owner);
  return holdings == holdings_.end() ? Holdings() : holdings->second;
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

Lease* LeaseTable::FindByMac(const MacAddress& mac) {
  const auto at = by_mac_.find(mac);
  return at == by_mac_.end() ? nullptr : Find(at->second);
}

Lease* LeaseTable::Find(const LinkName& tap) {
  return const_cast<Lease*>(std::as_const(*this).Find(tap));
}

const Lease* LeaseTable::Find(const LinkName& tap) const {
  const auto at = by_tap_.find(tap);
  return at == by_tap_.end() ? nullptr : &at->second;
}

}  // namespace svnet
