// What an earlier svnetd left in the kernel, read back at start. Pure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/base/condition.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/drift.h"
#include "daemon/lease/lease.h"

namespace svnet {

// A TAP that was leased, and is to go.
struct EndedTap {
  Lease lease;
  std::string tampering;  // DescribeTampering
  MacAddress mac;         // its own, now
  // Which of the groups of the retired it is in, if it is retired: RetiredGroupOf.
  uint32_t retired_group = 0;
};

struct Adoption {
  std::vector<Lease> leases;          // by address; no two share key, address or MAC
  std::vector<EndedTap> retired;      // in a link group of the retired
  std::vector<EndedTap> tampered;     // their holders have changed what contradicts the lease
  std::vector<Condition> conditions;  // one for each TAP that is left alone, and why
};

// Whether TAPs of that network are in that link group, retired ones or others.
bool IsGroupOf(const TapPlan& network, uint32_t group);

// Whether a link is a TAP of this network: its alias, which only root can write, says so,
// and so does its link group or its bridge. `network.bridge` may be 0.
bool IsOurTap(const Link& link, const TapPlan& network);

// What a link says of its TAP.
TapState StateOf(const Link& link);

// The owner that the alias of a TAP names; nullopt if it cannot be read.
std::optional<uid_t> OwnerOf(const Link& link);

// The lease that a link is; nullopt if it is no TAP of this network at all. InvalidArgument
// if it is one of ours, but not one that can be taken over: it says why. A foreign TAP cannot
// pass for ours by accident, only on purpose, and by root.
absl::StatusOr<std::optional<Lease>> ReadLease(const Link& link, const TapPlan& network,
                                               const Ipv4Prefix& prefix);

// The condition of a TAP that has the key, the address or the MAC of an existing lease.
Condition InTheWay(absl::string_view tap);

// `view_of`: what the text of that digest says of the guest's view; nullopt: nothing, or it is
// lost.
Adoption Adopt(const std::vector<Link>& links, const TapPlan& network, const Ipv4Prefix& prefix,
               const std::function<std::optional<GuestView>(const std::string&)>& view_of);

}  // namespace svnet
