// NetworkSetup: how the network stands, for people.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/address/host_network.h"
#include "daemon/address/host_network_reader.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/network_setup.h"

namespace svnet {
namespace {

const Link* FindByName(const std::vector<Link>& links, const LinkName& name) {
  const auto link = std::find_if(links.begin(), links.end(),
                                 [&](const Link& each) { return each.name == name.text(); });
  return link == links.end() ? nullptr : &*link;
}

}  // namespace

absl::StatusOr<NetworkSetup::Status> NetworkSetup::Observe(const std::vector<Link>& links,
                                                           bool in_use) {
  absl::StatusOr<Status> status = ObserveAll(links, in_use);
  if (status.ok()) return status;
  return svnet::Explain(Reason::kBridgeSetupFailed, "cannot read the network's state",
                        status.status());
}

absl::StatusOr<NetworkSetup::Status> NetworkSetup::ObserveAll(const std::vector<Link>& links,
                                                              bool in_use) {
  Status status;
  const Link* bridge = FindByName(links, settings_.bridge);
  if (bridge != nullptr && bridge->kind != LinkKind::kBridge) {
    status.conditions.push_back(
        {.type = "NOT_A_BRIDGE",
         .message = absl::StrCat("link ", settings_.bridge.text(), " is no bridge"),
         .remedy = "remove it, or set another `bridge`"});
    bridge = nullptr;
  }
  status.bridge_up = bridge != nullptr && bridge->up;
  for (const Link& link : links) {
    if (bridge != nullptr && link.master == bridge->ifindex) ++status.ports_used;
  }
  SVNET_ASSIGN_OR_RETURN(
      status.mtu, PlanMtu(bridge == nullptr ? std::nullopt : std::make_optional(*bridge), true));
  SVNET_RETURN_IF_ERROR(ObserveHost(links, &status));
  SVNET_RETURN_IF_ERROR(ObserveConnections(&status));
  if (in_use) SVNET_RETURN_IF_ERROR(ObserveRunning(bridge, &status.conditions));
  return status;
}

absl::Status NetworkSetup::ObserveHost(const std::vector<Link>& links, Status* status) {
  SVNET_ASSIGN_OR_RETURN(const HostNetwork host, ReadHostNetwork(kernel_));
  const Link* uplink = svnet::FindUplink(host);
  if (uplink != nullptr) status->uplink = uplink->name;
  const Link* bridge = FindByName(links, settings_.bridge);
  const std::optional<std::string> conflict =
      FindConflict(host, settings_.prefix, bridge == nullptr ? 0 : bridge->ifindex);
  if (!conflict.has_value()) return absl::OkStatus();
  status->conditions.push_back(
      {.type = "SUBNET_CONFLICT",
       .message = absl::StrCat("subnet ", settings_.prefix.ToString(), " overlaps ", *conflict),
       .remedy = "set another `subnet`, or remove that"});
  return absl::OkStatus();
}

absl::Status NetworkSetup::ObserveConnections(Status* status) {
  SVNET_ASSIGN_OR_RETURN(status->connections, firewall_->ReadConnections());
  if (!status->connections.IsNearlyFull()) return absl::OkStatus();
  status->conditions.push_back(
      {.type = "CONNECTION_TABLE_NEARLY_FULL",
       .message = absl::StrCat("the kernel tracks ", status->connections.used,
                               " connections of at most ", status->connections.size,
                               ": when that is full, neither guests nor the host open any more"),
       .remedy = "find whose they are (conntrack -L), set smaller `guest_connections` and "
                 "`owner_connections`, or a larger net.netfilter.nf_conntrack_max"});
  return absl::OkStatus();
}

// What leases need, and somebody may have taken away.
absl::Status NetworkSetup::ObserveRunning(const Link* bridge, std::vector<Condition>* conditions) {
  constexpr char kRemedy[] = "`systemctl restart svnetd` puts it right; no guest is disturbed";
  if (bridge == nullptr) {
    conditions->push_back({.type = "BRIDGE_MISSING",
                           .message = absl::StrCat("there is no bridge ", settings_.bridge.text()),
                           .remedy = kRemedy});
  } else if (!bridge->up) {
    conditions->push_back({.type = "BRIDGE_DOWN",
                           .message = absl::StrCat("bridge ", settings_.bridge.text(), " is down"),
                           .remedy = kRemedy});
  }
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, kernel_->IsForwarding());
  if (!forwarding) {
    conditions->push_back({.type = "FORWARDING_OFF",
                           .message = "net.ipv4.ip_forward is 0: guests do not get out",
                           .remedy = kRemedy});
  }
  if (!rules_stand_) {
    conditions->push_back({.type = "NAT_MISSING",
                           .message = "svnetd's nftables table is gone: guests do not get out",
                           .remedy = kRemedy});
  }
  return absl::OkStatus();
}

}  // namespace svnet
