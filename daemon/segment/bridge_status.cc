#include "daemon/segment/bridge_status.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/address/host_network_reader.h"
#include "daemon/base/status_macros.h"

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

// How guests get out, and whether the host has the prefix elsewhere.
absl::Status ObserveHost(const Ipv4Prefix& prefix, Ifindex bridge, Kernel* kernel,
                         SegmentStatus* status) {
  SVNET_ASSIGN_OR_RETURN(const HostNetwork host, ReadHostNetwork(kernel));
  if (const Link* uplink = FindUplink(host); uplink != nullptr) status->uplink = uplink->name;
  const std::optional<std::string> conflict = FindConflict(host, prefix, bridge);
  if (!conflict.has_value()) return absl::OkStatus();
  status->conditions.push_back(
      {.type = "SUBNET_CONFLICT",
       .message = absl::StrCat("subnet ", prefix.ToString(), " overlaps ", *conflict),
       .remedy = "set another `subnet`, or remove that"});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SegmentStatus> ObserveBridge(const NetworkSettings& settings,
                                            const std::vector<Link>& links, bool in_use,
                                            Kernel* kernel) {
  SegmentStatus status;
  const Link* named = FindByName(links, settings.bridge);
  const bool is_bridge = named != nullptr && named->kind == LinkKind::kBridge;
  const Link* bridge = is_bridge ? named : nullptr;
  if (named != nullptr && !is_bridge) status.conditions.push_back(NotABridge(settings.bridge));
  status.up = is_bridge && bridge->up;
  for (const Link& link : links) {
    if (is_bridge && link.master == bridge->ifindex) ++status.ports_used;
  }
  SVNET_RETURN_IF_ERROR(
      ObserveHost(settings.prefix, named == nullptr ? 0 : named->ifindex, kernel, &status));
  if (!in_use) return status;
  const std::optional<Condition> trouble = FindTrouble(bridge, settings.bridge);
  if (trouble.has_value()) status.conditions.push_back(*trouble);
  return status;
}

}  // namespace svnet
