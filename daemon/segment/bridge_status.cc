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

std::vector<absl::string_view> CausesOf(const Bridge& bridge, bool renamed) {
  std::vector<absl::string_view> causes;
  if (renamed) causes.push_back("the bridge had another name");
  if (bridge.made) causes.push_back("the bridge was gone");
  if (bridge.brought_up && !bridge.made) causes.push_back("the bridge was down");
  if (bridge.given_address && !bridge.made) causes.push_back("the bridge had lost its address");
  if (bridge.given_mtu && !bridge.made) causes.push_back("the bridge had another MTU");
  if (bridge.given_mac && !bridge.made) causes.push_back("the bridge had another MAC");
  if (bridge.took_stp) causes.push_back("the bridge had STP");
  if (bridge.took_ipv6) causes.push_back("the bridge had IPv6");
  return causes;
}

Condition Ipv6NotOff(const absl::Status& error) {
  return {.type = "IPV6_NOT_OFF",
          .message = absl::StrCat("IPv6 cannot be switched off on TAPs: ", error.message(),
                                  ": creating one takes longer with each that exists"),
          .remedy = "let svnetd write /proc/sys/net, or set net.ipv6.conf.default.disable_ipv6=1",
          // The error names a TAP.
          .for_all =
              "IPv6 cannot be switched off on TAPs: creating one takes longer with each that "
              "exists"};
}

}  // namespace svnet
