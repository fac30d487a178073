#include "daemon/lease/left_taps.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/lease/adoption.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/names.h"

namespace svnet {
namespace {

// What the same network was, or would be, with the other kind.
TapPlan OfOtherKind(const TapPlan& network) {
  TapPlan other = network;
  const bool was_routed = network.kind == NetworkKind::kBridge;
  other.kind = was_routed ? NetworkKind::kRouted : NetworkKind::kBridge;
  other.group =
      was_routed ? DeriveRoutedGroup(network.bridge_name) : DeriveLinkGroup(network.bridge_name);
  return other;
}

bool IsLease(const Link& link, const TapPlan& network) {
  return link.persistent && IsOurTap(link, network) &&
         !RetiredGroupNumber(network.group, link.group).has_value();
}

// nullopt: it cannot be read.
std::optional<Ipv4Address> AddressOf(const Link& link) {
  const absl::StatusOr<LinkName> name = LinkName::Parse(link.name);
  if (!name.ok()) return std::nullopt;
  const absl::StatusOr<LeaseSpec> spec = ParseAlias(*name, link.alias);
  return spec.ok() ? std::make_optional(spec->ip) : std::nullopt;
}

absl::Status Refuse(absl::string_view why, absl::string_view key) {
  return Error(Reason::kBridgeSetupFailed,
               absl::StrCat(why, ": set the earlier `", key,
                            "` again. To change it, first run `svnetctl cleanup --network`, which "
                            "ends all leases"));
}

}  // namespace

const Link* FindLease(const std::vector<Link>& links, const TapPlan& network) {
  for (const Link& link : links) {
    if (IsLease(link, network)) return &link;
  }
  return nullptr;
}

absl::Status CheckLeftTaps(const std::vector<Link>& links, const TapPlan& network,
                           const Ipv4Prefix& prefix) {
  const TapPlan other = OfOtherKind(network);
  for (const Link& link : links) {
    if (IsLease(link, other)) {
      return Refuse(absl::StrCat("TAP ", link.name, " is a lease of when `kind` was \"",
                                 other.kind == NetworkKind::kRouted ? "routed" : "bridge", "\""),
                    "kind");
    }
    if (!IsLease(link, network)) continue;
    const std::optional<Ipv4Address> address = AddressOf(link);
    if (!address.has_value() || prefix.Contains(*address)) continue;
    return Refuse(absl::StrCat("TAP ", link.name, " is a lease of ", address->ToString(),
                               ", which `subnet` = \"", prefix.ToString(), "\" does not contain"),
                  "subnet");
  }
  return absl::OkStatus();
}

}  // namespace svnet
