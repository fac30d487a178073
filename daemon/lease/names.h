// Every name and MAC that svnetd makes up. All pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/lease/lease_spec.h"

namespace svnet {

// What the TypeScript NetworkManager called the TAP: `sv`, the first 4 characters of vm without
// its dashes, the first 6 of iface. Two VMs may have the same one.
LinkName PreferredTapName(const VmId& vm, const IfaceId& iface);

// When that is taken: `sv` and 13 base-32 characters of a hash of `key`, the same in
// every run. `attempt` 1, 2, ... if that is taken too.
LinkName HashedTapName(const LeaseKey& key, int attempt);

// The MAC that the TypeScript NetworkManager gave (vm, iface). `attempt` 1, 2, ... hashes with
// `#1`, `#2`, ... appended, for when that MAC is taken.
MacAddress DeriveGuestMac(const VmId& vm, const IfaceId& iface, int attempt);

// What guests of routed networks take for the gateway's MAC: of every TAP on every host, so that a
// guest that was restored from a snapshot need not ask.
inline constexpr MacAddress kGatewayMac({0x02, 0xfc, 0, 0, 0, 1});

// The MAC of every TAP itself on a bridge, on the host's side: one for all, so that which MACs are
// local to the bridge does not depend on who has a TAP, and that a VMM which writes back the MAC
// that it found (Cloud Hypervisor, when it restores a snapshot) changes nothing on any host.
inline constexpr MacAddress kTapMac({0xc2, 's', 'v', 'n', 'e', 't'});

using MachineId = std::array<uint8_t, 16>;

// The MAC of a bridge that svnetd makes: the same on this machine every time, and
// unlike those of guests, so that it also marks the bridge as svnetd's own.
MacAddress DeriveBridgeMac(const MachineId& machine, const LinkName& bridge);

// The link group (IFLA_GROUP) of a network's TAPs. Even, never the default group 0.
uint32_t DeriveLinkGroup(const LinkName& bridge);
// Retired TAPs are in one of so many groups, each of which is destroyed by itself (ReapQueue):
// those that follow the group of the network's TAPs. The first is the only one that an svnetd
// before 0.2 knows and that its rules name.
inline constexpr uint32_t kRetiredGroups = 64;
inline uint32_t RetiredGroupOf(uint32_t link_group, uint32_t number = 0) {
  return link_group + 1 + number;
}
// The number of that group among them; nullopt: it is none of them.
inline std::optional<uint32_t> RetiredGroupNumber(uint32_t link_group, uint32_t group) {
  const uint32_t number = group - RetiredGroupOf(link_group);
  return number < kRetiredGroups ? std::make_optional(number) : std::nullopt;
}
// The link groups of a routed network's TAPs: those with this value in the bits of
// kRoutedGroupMask. The first ones are those of retired TAPs, as RetiredGroupOf has it; from
// kFirstOwnerGroup on each is one owner's.
uint32_t DeriveRoutedGroup(const LinkName& bridge);
inline constexpr uint32_t kRoutedGroupMask = 0xffff0000;
inline constexpr uint32_t kFirstOwnerGroup = 256;
// The name of a retired TAP whose own name is needed: no lease's TAP has a name like that.
// `attempt` 1 to 9 if that is taken.
LinkName RetiredTapName(Ifindex tap, int attempt);

}  // namespace svnet
