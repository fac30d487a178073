#include "daemon/lease/drift.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/names.h"

namespace svnet {

PortSpec PlanPort(const Lease& lease, const PortPlan& plan) {
  return {.bridge = plan.bridge,
          .alias = FormatAlias(lease.spec),
          .group = plan.group,
          .mtu = lease.state.mtu,
          .mac = kTapMac,
          .guest = lease.spec.mac,
          .isolated = plan.isolated};
}

std::string DescribeDrift(const Lease& lease, const Link& link, const PortPlan& plan) {
  const PortSpec port = PlanPort(lease, plan);
  std::vector<std::string> drift;
  if (link.name != lease.spec.tap.text()) {
    drift.push_back(absl::StrCat("it was renamed to ", absl::CHexEscape(link.name)));
  }
  if (link.master != port.bridge) drift.push_back("it was off the bridge");
  if (!link.up) drift.push_back("it was down");
  if (link.mtu != port.mtu) drift.push_back(absl::StrCat("it had MTU ", link.mtu));
  if (link.group != port.group) drift.push_back(absl::StrCat("it was in link group ", link.group));
  if (link.alias != port.alias) drift.push_back("it had another alias");
  // One that is off the bridge has no such settings.
  if (link.master == port.bridge && lease.state.pinned && !link.pinned) {
    drift.push_back("its port had other settings (learning, flooding, group addresses)");
  }
  return absl::StrJoin(drift, ", ");
}

}  // namespace svnet
