#include "daemon/segment/owner_groups.h"

namespace svnet {

uint32_t OwnerGroups::Of(uid_t owner) const {
  const auto known = groups_.find(owner);
  return base_ + (known == groups_.end() ? NextFree() : known->second.number);
}

bool OwnerGroups::IsFree(uint32_t number) const {
  return number >= kFirstOwnerGroup && number <= kLast && !numbers_.contains(number);
}

uint32_t OwnerGroups::NextFree() const {
  uint32_t number = last_;
  for (uint32_t tried = 0; tried < kGroups; ++tried) {
    number = number == kLast ? kFirstOwnerGroup : number + 1;
    if (IsFree(number)) break;
  }
  return number;
}

void OwnerGroups::Insert(uid_t owner, Ifindex tap, uint32_t found) {
  const auto [group, is_new] = groups_.try_emplace(owner);
  if (is_new) {
    const bool can_have_it = IsFree(found - base_);
    group->second.number = can_have_it ? found - base_ : NextFree();
    if (!can_have_it) last_ = group->second.number;
    numbers_.insert(group->second.number);
  }
  group->second.taps.insert(tap);
}

void OwnerGroups::Erase(uid_t owner, Ifindex tap) {
  const auto known = groups_.find(owner);
  if (known == groups_.end()) return;
  known->second.taps.erase(tap);
  if (!known->second.taps.empty()) return;
  numbers_.erase(known->second.number);
  groups_.erase(known);
}

void OwnerGroups::Clear() {
  groups_.clear();
  numbers_.clear();
}

}  // namespace svnet
