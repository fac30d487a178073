#include "daemon/segment/bridge_status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

constexpr char kRemedy[] = "`systemctl restart svnetd` repairs it; no guest is disturbed";

Condition NotABridge(const LinkName& bridge) {
  return {.type = "NOT_A_BRIDGE",
          .message = absl::StrCat("link ", bridge.text(), " is not a bridge"),
          .remedy = "remove it, or set another `bridge`"};
}

Condition OnlyAnAltname(const LinkName& bridge, const std::string& link) {
  return {
      .type = "NOT_A_BRIDGE",
      .message = absl::StrCat("link ", link, " is called ", bridge.text(), ", too (an altname)"),
      .remedy = absl::StrCat("`ip link property delete dev ", link, " altname ", bridge.text(),
                             "`, or set another `bridge`")};
}

}  // namespace

SegmentStatus ObserveBridge(const LinkName& bridge, const std::vector<Link>& links) {
  SegmentStatus status;
  const auto named = std::find_if(links.begin(), links.end(),
                                  [&](const Link& each) { return each.name == bridge.text(); });
  if (named == links.end() || named->kind != LinkKind::kBridge) return status;
  status.up = named->up;
  status.ports_used = static_cast<uint32_t>(std::count_if(
      links.begin(), links.end(), [&](const Link& each) { return each.master == named->ifindex; }));
  return status;
}

std::vector<Condition> ConditionsOf(const LinkName& bridge, const std::optional<Link>& named,
                                    bool in_use) {
  if (named.has_value() && named->kind != LinkKind::kBridge) return {NotABridge(bridge)};
  if (named.has_value() && named->name != bridge.text()) {
    return {OnlyAnAltname(bridge, named->name)};
  }
  if (!in_use || (named.has_value() && named->up)) return {};
  if (named.has_value()) {
    return {{.type = "BRIDGE_DOWN",
             .message = absl::StrCat("bridge ", bridge.text(), " is down"),
             .remedy = kRemedy}};
  }
  return {{.type = "BRIDGE_MISSING",
           .message = absl::StrCat("there is no bridge ", bridge.text()),
           .remedy = kRemedy}};
}

}  // namespace svnet
