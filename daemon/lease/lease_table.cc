#include "daemon/lease/lease_table.h"

#include <utility>

namespace svnet {

bool LeaseTable::Insert(const Lease& lease) {
  const LeaseSpec& spec = lease.spec;
  if (by_tap_.contains(spec.tap) || by_key_.contains(spec.key) || by_mac_.contains(spec.mac) ||
      by_ip_.contains(spec.ip) || by_ifindex_.contains(lease.state.ifindex)) {
    return false;
  }
  by_tap_.emplace(spec.tap, lease);
  by_key_.emplace(spec.key, spec.tap);
  holdings_[spec.key.owner] += {.taps = 1, .queues = CountedQueues(spec)};
  by_mac_.emplace(spec.mac, spec.tap);
  by_ip_.emplace(spec.ip, spec.tap);
  by_ifindex_.emplace(lease.state.ifindex, spec.tap);
  CountText(spec.text_digest);
  return true;
}

void LeaseTable::Erase(const LinkName& tap) {
  const auto at = by_tap_.find(tap);
  if (at == by_tap_.end()) return;
  const LeaseSpec& spec = at->second.spec;
  const auto holdings = holdings_.find(spec.key.owner);
  holdings->second.queues -= CountedQueues(spec);
  if (--holdings->second.taps == 0) holdings_.erase(holdings);
  by_key_.erase(spec.key);
  by_mac_.erase(spec.mac);
  by_ip_.erase(spec.ip);
  by_ifindex_.erase(at->second.state.ifindex);
  DiscountText(spec.text_digest);
  by_tap_.erase(at);
}

void LeaseTable::SetSpec(const LeaseSpec& spec) {
  const auto found = by_tap_.find(spec.tap);
  if (found == by_tap_.end()) return;
  LeaseSpec& kept = found->second.spec;
  kept.lifetime = spec.lifetime;
  kept.generation = spec.generation;
  CountText(spec.text_digest);
  DiscountText(std::exchange(kept.text_digest, spec.text_digest));
  kept.view = spec.view;
}

void LeaseTable::CountText(const std::string& digest) {
  if (!digest.empty()) ++texts_[digest];
}

void LeaseTable::DiscountText(const std::string& digest) {
  const auto count = texts_.find(digest);
  if (count != texts_.end() && --count->second == 0) texts_.erase(count);
}

void LeaseTable::SetState(const TapState& state) {
  const auto at = by_ifindex_.find(state.ifindex);
  if (at != by_ifindex_.end()) by_tap_.find(at->second)->second.state = state;
}

Holdings LeaseTable::HoldingsOf(uid_t owner) const {
  const auto holdings = holdings_.find(owner);
  return holdings == holdings_.end() ? Holdings() : holdings->second;
}

const Lease* LeaseTable::Find(const LeaseKey& key) const {
  const auto at = by_key_.find(key);
  return at == by_key_.end() ? nullptr : Find(at->second);
}

const Lease* LeaseTable::FindByIfindex(Ifindex tap) const {
  const auto at = by_ifindex_.find(tap);
  return at == by_ifindex_.end() ? nullptr : Find(at->second);
}

const Lease* LeaseTable::FindByIp(Ipv4Address ip) const {
  const auto at = by_ip_.find(ip);
  return at == by_ip_.end() ? nullptr : Find(at->second);
}

const Lease* LeaseTable::FindByMac(const MacAddress& mac) const {
  const auto at = by_mac_.find(mac);
  return at == by_mac_.end() ? nullptr : Find(at->second);
}

const Lease* LeaseTable::Find(const LinkName& tap) const {
  const auto at = by_tap_.find(tap);
  return at == by_tap_.end() ? nullptr : &at->second;
}

}  // namespace svnet
