// Which link group the TAPs of each owner are in, on a routed network.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "daemon/base/ifindex.h"
#include "daemon/lease/names.h"

namespace svnet {

// An owner has one as long as it has a TAP. Not thread-safe.
class OwnerGroups {
 public:
  // `base`: DeriveRoutedGroup.
  explicit OwnerGroups(uint32_t base) : base_(base) {}

  // The group of an owner, or the one that it would get with its first TAP. Undefined if there is
  // no other left.
  uint32_t Of(uid_t owner) const;
  bool HasRoom() const { return numbers_.size() < kGroups; }

  // A TAP of that owner is there. `found`: the group in which it was found, which the owner gets if
  // it has none, and nobody else has that; 0: it is new.
  void Insert(uid_t owner, Ifindex tap, uint32_t found = 0);
  // It is not, or not any more.
  void Erase(uid_t owner, Ifindex tap);
  void Clear();

 private:
  struct Group {
    uint32_t number;  // within those of the network
    std::set<Ifindex> taps;
  };

  static constexpr uint32_t kLast = ~kRoutedGroupMask;
  static constexpr uint32_t kGroups = kLast - kFirstOwnerGroup + 1;

  bool IsFree(uint32_t number) const;
  // The next after the one that was given last.
  uint32_t NextFree() const;

  const uint32_t base_;
  absl::flat_hash_map<uid_t, Group> groups_;
  std::set<uint32_t> numbers_;  // those of `groups_`
  uint32_t last_ = kLast;       // the one that was given last
};

}  // namespace svnet
