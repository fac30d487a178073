#include "daemon/lease/drift.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/lease/alias.h"

namespace svnet {
namespace {

// What TAPs of both kinds of network have.
struct Common {
  uint32_t mtu;
  uint32_t group;
  const std::string& alias;
  Ifindex master;  // 0: none
};

void AddDrift(const Lease& lease, const Link& link, const Common& should,
              std::vector<std::string>* drift) {
  if (link.name != lease.spec.tap.text()) {
    drift->push_back(absl::StrCat("it was renamed to ", absl::CHexEscape(link.name)));
  }
  if (link.master != should.master) {
    drift->push_back(should.master == 0 ? "it was on a bridge" : "it was off the bridge");
  }
  if (!link.up) drift->push_back("it was down");
  if (link.mtu != should.mtu) drift->push_back(absl::StrCat("it had MTU ", link.mtu));
  if (link.group != should.group) {
    drift->push_back(absl::StrCat("it was in link group ", link.group));
  }
  if (link.alias != should.alias) drift->push_back("it had another alias");
}

}  // namespace

PortSpec PlanPort(const Lease& lease, const TapPlan& plan) {
  return {.bridge = plan.bridge,
          .alias = FormatAlias(lease.spec),
          .group = plan.group,
          .mtu = lease.state.mtu,
          .mac = plan.mac,
          .guest = lease.spec.mac,
          .isolated = plan.isolated};
}

RoutedTapSpec PlanRoutedTap(const Lease& lease, const TapPlan& plan, uint32_t group,
                            Ipv4Address gateway) {
  return {.alias = FormatAlias(lease.spec),
          .group = group,
          .mtu = lease.state.mtu,
          .mac = TapMacOf(lease.spec, plan.mac),
          .address = lease.spec.ip,
          .guest = {.address = GuestAddressOf(lease.spec), .mac = GuestMacOf(lease.spec)},
          .gateway = gateway};
}

std::string DescribeDrift(const Lease& lease, const Link& link, const TapPlan& plan) {
  const PortSpec port = PlanPort(lease, plan);
  std::vector<std::string> drift;
  AddDrift(lease, link,
           {.mtu = port.mtu, .group = port.group, .alias = port.alias, .master = port.bridge},
           &drift);
  // One that is off the bridge has no such settings.
  if (link.master == port.bridge && lease.state.pinned && !link.pinned) {
    drift.push_back("its port had other settings (learning, flooding, group addresses)");
  }
  return absl::StrJoin(drift, ", ");
}

std::string DescribeRoutedDrift(const Lease& lease, const Link& link, const RoutedTapSpec& spec) {
  std::vector<std::string> drift;
  AddDrift(lease, link, {.mtu = spec.mtu, .group = spec.group, .alias = spec.alias, .master = 0},
           &drift);
  if (!link.routed) drift.push_back("it had other settings (rp_filter, proxy_arp)");
  return absl::StrJoin(drift, ", ");
}

}  // namespace svnet
