#include "daemon/lease/adoption.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/address/address_pool.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/alias_v1.h"
#include "daemon/lease/lease_table.h"
#include "daemon/lease/names.h"
#include "daemon/lease/tampering.h"

namespace svnet {
namespace {

Condition LeftAlone(absl::string_view tap, absl::string_view why) {
  return {.type = "TAP_NOT_ADOPTED",
          .message = absl::StrCat("TAP ", absl::CHexEscape(tap), " is left alone: ", why),
          .remedy = absl::StrCat("`ip link delete dev ", absl::CHexEscape(tap),
                                 "` removes it; `svnetctl cleanup --network` removes all"),
          .for_all = "svnetd has left a TAP alone"};
}

// What an earlier version left has no owner and no group in its alias: they are taken, once,
// from the TAP itself, where its holder may have changed them. The repair that follows writes
// the alias anew.
absl::StatusOr<LeaseSpec> ReadAliasV1(const LinkName& tap, const Link& link) {
  SVNET_ASSIGN_OR_RETURN(const AliasV1 alias, ParseAliasV1(link.alias));
  if (!link.persistent) return absl::InvalidArgumentError("it was never finished");
  if (!link.owner.has_value()) return absl::InvalidArgumentError("it has no owner");
  return LeaseSpec{.key = {.owner = *link.owner, .vm = alias.vm, .iface = alias.iface},
                   .tap = tap,
                   .ip = alias.ip,
                   .mac = alias.mac,
                   .queues = alias.queues,
                   .group = link.group_gid,
                   .lifetime = alias.lifetime};
}

absl::StatusOr<LeaseSpec> ReadSpec(const Link& link) {
  SVNET_ASSIGN_OR_RETURN(const LinkName tap, LinkName::Parse(link.name));
  return IsAlias(link.alias) ? ParseAlias(tap, link.alias) : ReadAliasV1(tap, link);
}

}  // namespace

bool IsGroupOf(const TapPlan& network, uint32_t group) {
  if (network.kind == NetworkKind::kRouted) return (group & kRoutedGroupMask) == network.group;
  return group == network.group || RetiredGroupNumber(network.group, group).has_value();
}

bool IsOurTap(const Link& link, const TapPlan& network) {
  if (link.kind != LinkKind::kTap) return false;
  const bool is_named = IsAliasOf(link.alias, network.network);
  if (is_named && IsGroupOf(network, link.group)) return true;
  if (network.kind == NetworkKind::kRouted) return false;
  if (IsAliasV1(link.alias, network.bridge_name)) return true;
  return is_named && network.bridge != 0 && link.master == network.bridge;
}

TapState StateOf(const Link& link) {
  return {.ifindex = link.ifindex,
          .mtu = link.mtu,
          .attached = link.carrier,
          .was_attached = link.carrier || link.carrier_ups > 0,
          .bridge = link.master,
          .group = link.group,
          .pinned = link.pinned};
}

std::optional<uid_t> OwnerOf(const Link& link) {
  static const LinkName kAnyName = LinkName::Parse("tap").value();
  const absl::StatusOr<LeaseSpec> spec = ParseAlias(kAnyName, link.alias);
  return spec.ok() ? std::make_optional(spec->key.owner) : std::nullopt;
}

absl::StatusOr<std::optional<Lease>> ReadLease(const Link& link, const TapPlan& network,
                                               const Ipv4Prefix& prefix) {
  if (!IsOurTap(link, network)) return std::nullopt;
  SVNET_ASSIGN_OR_RETURN(LeaseSpec spec, ReadSpec(link));
  if (const absl::Status in_pool = AddressPool(prefix).Check(spec.ip); !in_pool.ok()) {
    return absl::InvalidArgumentError(in_pool.message());
  }
  return Lease{.spec = std::move(spec), .state = StateOf(link)};
}

Condition InTheWay(absl::string_view tap) {
  return LeftAlone(tap, "another TAP has the same owner and ids, address or MAC");
}

Adoption Adopt(const std::vector<Link>& links, const TapPlan& network, const Ipv4Prefix& prefix,
               const std::function<std::optional<GuestView>(const std::string&)>& view_of) {
  Adoption adoption;
  LeaseTable unique;
  for (const Link& link : links) {
    absl::StatusOr<std::optional<Lease>> lease = ReadLease(link, network, prefix);
    if (!lease.ok()) {
      adoption.conditions.push_back(LeftAlone(link.name, lease.status().message()));
      continue;
    }
    if (!lease->has_value()) continue;
    LeaseSpec& spec = (*lease)->spec;
    if (!spec.text_digest.empty()) spec.view = view_of(spec.text_digest);
    const std::string tampering = DescribeTampering(spec, link, network);
    EndedTap ended = {.lease = **lease, .tampering = tampering, .mac = link.mac};
    if (const auto number = RetiredGroupNumber(network.group, link.group)) {
      ended.retired_group = *number;
      adoption.retired.push_back(ended);
    } else if (!tampering.empty()) {
      adoption.tampered.push_back(ended);
    } else if (!unique.Insert(**lease)) {
      adoption.conditions.push_back(InTheWay(link.name));
    } else {
      adoption.leases.push_back(**lease);
    }
  }
  std::sort(adoption.leases.begin(), adoption.leases.end(),
            [](const Lease& a, const Lease& b) { return a.spec.ip < b.spec.ip; });
  return adoption;
}

}  // namespace svnet
