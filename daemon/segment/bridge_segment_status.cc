// BridgeSegment: its state, for people.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/address/host_network_reader.h"
#include "daemon/base/status_macros.h"
#include "daemon/segment/bridge_segment.h"

namespace svnet {
namespace {

const Link* FindByName(const std::vector<Link>& links, const LinkName& name) {
  const auto link = std::find_if(links.begin(), links.end(),
                                 [&](const Link& each) { return each.name == name.text(); });
  return link == links.end() ? nullptr : &*link;
}

Condition NotABridge(const LinkName& bridge) {
  return {.type = "NOT_A_BRIDGE",
          .message = absl::StrCat("link ", bridge.text(), " is not a bridge"),
          .remedy = "remove it, or set another `bridge`"};
}

// What leases need, and another program may have taken away.
std::optional<Condition> FindTrouble(const Link* bridge, const LinkName& name) {
  constexpr char kRemedy[] = "`systemctl restart svnetd` repairs it; no guest is disturbed";
  if (bridge == nullptr) {
    return Condition{.type = "BRIDGE_MISSING",
                     .message = absl::StrCat("there is no bridge ", name.text()),
                     .remedy = kRemedy};
  }
  if (bridge->up) return std::nullopt;
  return Condition{.type = "BRIDGE_DOWN",
                   .message = absl::StrCat("bridge ", name.text(), " is down"),
                   .remedy = kRemedy};
}

}  // namespace

absl::StatusOr<SegmentStatus> BridgeSegment::Observe(const std::vector<Link>& links, bool in_use) {
  SegmentStatus status;
  const Link* named = FindByName(links, settings_.bridge);
  const bool is_bridge = named != nullptr && named->kind == LinkKind::kBridge;
  const Link* bridge = is_bridge ? named : nullptr;
  if (named != nullptr && !is_bridge) status.conditions.push_back(NotABridge(settings_.bridge));
  status.up = is_bridge && bridge->up;
  for (const Link& link : links) {
    if (is_bridge && link.master == bridge->ifindex) ++status.ports_used;
  }
  SVNET_ASSIGN_OR_RETURN(status.mtu,
                         PlanMtu(is_bridge ? std::make_optional(*bridge) : std::nullopt, true));
  SVNET_RETURN_IF_ERROR(ObserveHost(named, &status));
  if (!in_use) return status;
  const std::optional<Condition> trouble = FindTrouble(bridge, settings_.bridge);
  if (trouble.has_value()) status.conditions.push_back(*trouble);
  return status;
}

std::string BridgeSegment::FindUplink() {
  const absl::StatusOr<HostNetwork> host = ReadHostNetwork(kernel_);
  const Link* uplink = host.ok() ? svnet::FindUplink(*host) : nullptr;
  return uplink == nullptr ? "" : uplink->name;
}

absl::Status BridgeSegment::ObserveHost(const Link* bridge, SegmentStatus* status) {
  SVNET_ASSIGN_OR_RETURN(const HostNetwork host, ReadHostNetwork(kernel_));
  if (const Link* uplink = svnet::FindUplink(host); uplink != nullptr)
    status->uplink = uplink->name;
  const std::optional<std::string> conflict =
      FindConflict(host, settings_.prefix, bridge == nullptr ? 0 : bridge->ifindex);
  if (!conflict.has_value()) return absl::OkStatus();
  status->conditions.push_back(
      {.type = "SUBNET_CONFLICT",
       .message = absl::StrCat("subnet ", settings_.prefix.ToString(), " overlaps ", *conflict),
       .remedy = "set another `subnet`, or remove that"});
  return absl::OkStatus();
}

}  // namespace svnet
