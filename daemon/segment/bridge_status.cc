#include "daemon/segment/bridge_status.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

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

SegmentStatus ObserveBridge(const NetworkSettings& settings, const std::vector<Link>& links,
                            bool in_use) {
  SegmentStatus status;
  const Link* named = FindByName(links, settings.bridge);
  const bool is_bridge = named != nullptr && named->kind == LinkKind::kBridge;
  const Link* bridge = is_bridge ? named : nullptr;
  if (named != nullptr && !is_bridge) status.conditions.push_back(NotABridge(settings.bridge));
  status.up = is_bridge && bridge->up;
  for (const Link& link : links) {
    if (is_bridge && link.master == bridge->ifindex) ++status.ports_used;
  }
  if (!in_use) return status;
  const std::optional<Condition> trouble = FindTrouble(bridge, settings.bridge);
  if (trouble.has_value()) status.conditions.push_back(*trouble);
  return status;
}

}  // namespace svnet
