#include "daemon/network/adoption.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/address_pool.h"
#include "daemon/network/alias.h"
#include "daemon/network/lease_table.h"
#include "daemon/network/names.h"

namespace svnet {
namespace {

Condition LeftAlone(absl::string_view tap, absl::string_view why) {
  return {.type = "TAP_NOT_ADOPTED",
          .message = absl::StrCat("TAP ", absl::CHexEscape(tap), " is left alone: ", why),
          .remedy = absl::StrCat("`ip link delete dev ", absl::CHexEscape(tap),
                                 "` removes it; `svnetctl cleanup --network` removes all")};
}

}  // namespace

absl::StatusOr<std::optional<Lease>> ReadLease(const Link& link, const LinkName& bridge,
                                               const Ipv4Prefix& prefix) {
  if (link.kind != LinkKind::kTap || !IsAliasOf(link.alias, bridge)) return std::nullopt;
  SVNET_ASSIGN_OR_RETURN(const Alias alias, ParseAlias(link.alias));
  SVNET_ASSIGN_OR_RETURN(const LinkName tap, LinkName::Parse(link.name));
  if (!link.persistent) return absl::InvalidArgumentError("it was never finished");
  if (!link.owner.has_value()) return absl::InvalidArgumentError("it has no owner");
  if (const absl::Status in_pool = AddressPool(prefix).Check(alias.ip); !in_pool.ok()) {
    return absl::InvalidArgumentError(in_pool.message());
  }
  return Lease{.key = {.owner = *link.owner, .vm = alias.vm, .iface = alias.iface},
               .tap = tap,
               .ifindex = link.ifindex,
               .ip = alias.ip,
               .mac = alias.mac,
               .queues = alias.queues,
               .group = link.group_gid,
               .mtu = link.mtu,
               .lifetime = alias.lifetime,
               .attached = link.carrier,
               .was_attached = link.carrier || link.carrier_ups > 0,
               .bridge = link.master,
               .pinned = link.pinned};
}

Condition InTheWay(absl::string_view tap) {
  return LeftAlone(tap, "another TAP has the same owner and ids, address or MAC");
}

Adoption Adopt(const std::vector<Link>& links, const LinkName& bridge, const Ipv4Prefix& prefix) {
  Adoption adoption;
  LeaseTable unique;
  for (const Link& link : links) {
    const absl::StatusOr<std::optional<Lease>> lease = ReadLease(link, bridge, prefix);
    if (lease.ok() && lease->has_value() && link.group == DyingGroupOf(DeriveLinkGroup(bridge))) {
      adoption.dying.push_back(**lease);
    } else if (!lease.ok()) {
      adoption.conditions.push_back(LeftAlone(link.name, lease.status().message()));
    } else if (lease->has_value() && !unique.Insert(**lease)) {
      adoption.conditions.push_back(InTheWay(link.name));
    } else if (lease->has_value()) {
      adoption.leases.push_back(**lease);
    }
  }
  std::sort(adoption.leases.begin(), adoption.leases.end(),
            [](const Lease& a, const Lease& b) { return a.ip < b.ip; });
  return adoption;
}

}  // namespace svnet
