#include "daemon/network/network_setup.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/address/address_pool.h"
#include "daemon/address/host_network.h"
#include "daemon/address/host_network_reader.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr uint32_t kDefaultMtu = 1500;  // without an uplink: Ethernet's

bool HasAddress(const std::vector<LinkAddress>& addresses, Ifindex link, Ipv4Address address) {
  return std::any_of(addresses.begin(), addresses.end(), [&](const LinkAddress& each) {
    return each.ifindex == link && each.address == address;
  });
}

}  // namespace

NetworkSetup::NetworkSetup(const NetworkSettings& settings, Kernel* kernel, Firewall* firewall)
    : settings_(settings), kernel_(kernel), firewall_(firewall) {}

absl::Status NetworkSetup::CheckPrefix() {
  const absl::StatusOr<std::optional<Link>> bridge = kernel_->FindLink(settings_.bridge);
  if (!bridge.ok()) return Explain(bridge.status());
  const Ifindex ours = bridge->has_value() ? (*bridge)->ifindex : 0;
  const absl::StatusOr<std::vector<LinkAddress>> addresses = kernel_->ListAddresses();
  if (!addresses.ok()) return Explain(addresses.status());
  if (ours != 0 && HasAddress(*addresses, ours, GatewayOf(settings_.prefix))) {
    return absl::OkStatus();
  }
  const absl::StatusOr<HostNetwork> host = ReadHostNetwork(kernel_);
  if (!host.ok()) return Explain(host.status());
  const std::optional<std::string> conflict = FindConflict(*host, settings_.prefix, ours);
  if (!conflict.has_value()) return absl::OkStatus();
  return Error(Reason::kSubnetConflict,
               absl::StrCat("subnet ", settings_.prefix.ToString(), " overlaps ", *conflict,
                            ": set another `subnet`, or remove that"));
}

absl::StatusOr<NetworkSetup::Ensured> NetworkSetup::Ensure(const LeaseTable& leases, For whom) {
  // Without leases the MTU may be another by now.
  if (!IsSuspect() && leases.size() > 0) {
    return Ensured{.bridge = *standing_, .in_use = true, .repaired = {}};
  }
  absl::StatusOr<Ensured> ensured = MakeStand(leases, whom);
  if (!ensured.ok()) return Explain(ensured.status());
  standing_ = ensured->bridge;
  bridge_stands_ = true;
  rules_stand_ = true;
  neighbours_stand_ = true;
  mtu_in_use_ = ensured->bridge.mtu;
  return ensured;
}

absl::StatusOr<NetworkSetup::Ensured> NetworkSetup::MakeStand(const LeaseTable& leases, For whom) {
  const bool in_use = leases.size() > 0;
  Before before = {.renamed = false, .rules_stood = rules_stand_};
  SVNET_ASSIGN_OR_RETURN(before.renamed, EnsureName());
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(settings_.bridge));
  if (!link.has_value()) SVNET_RETURN_IF_ERROR(CheckPrefix());
  SVNET_ASSIGN_OR_RETURN(const uint32_t mtu, PlanMtu(link, in_use));
  SVNET_ASSIGN_OR_RETURN(Bridge bridge, kernel_->EnsureBridge(SpecWith(mtu)));
  Ensured ensured = {.bridge = std::move(bridge), .in_use = in_use, .repaired = {}};
  if (ensured.bridge.made || ensured.bridge.brought_up) neighbours_stand_ = false;
  if (ensured.bridge.made || IsAnother(ensured.bridge)) before.rules_stood = rules_stand_ = false;
  absl::Cleanup undo = [&] { Undo(ensured); };
  SVNET_ASSIGN_OR_RETURN(const bool turn_on, PlanForwarding(in_use || whom == For::kNewLease));
  SVNET_RETURN_IF_ERROR(EnsureRules(leases, &ensured));
  if (turn_on) SVNET_RETURN_IF_ERROR(kernel_->EnableForwarding());
  ensured.turned_forwarding_on = turn_on;
  if (!neighbours_stand_) {
    SVNET_RETURN_IF_ERROR(EnsureNeighbours(ensured.bridge.ifindex, leases));
  }
  std::move(undo).Cancel();
  Describe(before, &ensured);
  return ensured;
}

bool NetworkSetup::IsAnother(const Bridge& bridge) const {
  return standing_.has_value() &&
         (bridge.ifindex != standing_->ifindex || bridge.mac != standing_->mac);
}

std::string NetworkSetup::FindUplink() {
  const absl::StatusOr<HostNetwork> host = ReadHostNetwork(kernel_);
  const Link* uplink = host.ok() ? svnet::FindUplink(*host) : nullptr;
  return uplink == nullptr ? "" : uplink->name;
}

absl::StatusOr<bool> NetworkSetup::WasLeft() {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(settings_.bridge));
  if (!link.has_value() || link->kind != LinkKind::kBridge) return false;
  if (link->mac == settings_.bridge_mac) return true;
  return firewall_->Stand();
}

absl::StatusOr<bool> NetworkSetup::EnsureName() {
  if (!standing_.has_value() || !standing_->ours) return false;
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, kernel_->FindLink(standing_->ifindex));
  if (!link.has_value() || link->name == settings_.bridge.text()) return false;
  SVNET_RETURN_IF_ERROR(kernel_->RenameLink(standing_->ifindex, settings_.bridge));
  return true;
}

void NetworkSetup::Describe(const Before& before, Ensured* ensured) {
  std::vector<absl::string_view> repaired;
  const Bridge& bridge = ensured->bridge;
  if (before.renamed) repaired.push_back("the bridge had another name");
  if (bridge.made) repaired.push_back("the bridge was gone");
  if (bridge.brought_up && !bridge.made) repaired.push_back("the bridge was down");
  if (bridge.given_address && !bridge.made) repaired.push_back("the bridge had lost its address");
  if (bridge.given_mtu) repaired.push_back("the bridge had another MTU");
  std::vector<absl::string_view>& things = ensured->repaired_things;
  if (!repaired.empty()) things.push_back("bridge");
  if (ensured->turned_forwarding_on) {
    repaired.push_back("net.ipv4.ip_forward was 0");
    things.push_back("forwarding");
  }
  if (ensured->applied_rules && !bridge.made && !before.rules_stood) {
    repaired.push_back("the nftables rules were changed");
    things.push_back("rules");
  }
  ensured->repaired = absl::StrJoin(repaired, ", ");
}

absl::StatusOr<bool> NetworkSetup::PlanForwarding(bool needed) {
  if (!others_.has_value()) {
    SVNET_ASSIGN_OR_RETURN(others_, firewall_->ReadOtherForwarding());
  }
  if (!needed) return false;
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, kernel_->IsForwarding());
  if (forwarding) return false;
  if (others_ != OtherForwarding::kClosed) rules_stand_ = false;
  others_ = OtherForwarding::kClosed;
  return true;
}

bool NetworkSetup::OpenOtherForwarding() {
  if (others_ != OtherForwarding::kClosed) return false;
  others_ = OtherForwarding::kAsItIs;
  // Those that do not stand are made without it.
  if (!firewall_->OpenOtherForwarding().ok()) SuspectRules();
  return true;
}

// While there are leases a live network's MTU does not change under its guests.
absl::StatusOr<uint32_t> NetworkSetup::PlanMtu(const std::optional<Link>& bridge, bool in_use) {
  if (settings_.mtu.has_value()) return *settings_.mtu;
  if (in_use && mtu_in_use_.has_value()) return *mtu_in_use_;
  if (bridge.has_value() && in_use) return bridge->mtu;
  SVNET_ASSIGN_OR_RETURN(const HostNetwork host, ReadHostNetwork(kernel_));
  return FindUplinkMtu(host).value_or(kDefaultMtu);
}

absl::Status NetworkSetup::EnsureRules(const LeaseTable& leases, Ensured* ensured) {
  if (rules_stand_) return absl::OkStatus();
  std::vector<Binding> bindings;
  for (const auto& [tap, lease] : leases.all()) {
    bindings.push_back(BindingOf(lease.spec, lease.state.ifindex, settings_.isolation));
  }
  SVNET_RETURN_IF_ERROR(
      firewall_->Apply({.ifindex = ensured->bridge.ifindex, .mac = ensured->bridge.mac}, bindings,
                       others_.value_or(OtherForwarding::kAsItIs)));
  ensured->applied_rules = true;
  return absl::OkStatus();
}

void NetworkSetup::SuspectAll() {
  SuspectBridge();
  SuspectRules();
  SuspectNeighbours();
}

bool NetworkSetup::IsAmiss(const Link& link) const {
  if (!standing_.has_value()) return false;  // it is to be looked at anyway
  if (link.ifindex != standing_->ifindex) return link.name == settings_.bridge.text();
  return link.name != settings_.bridge.text() || !link.up || link.mac != standing_->mac ||
         (standing_->ours && link.mtu != standing_->mtu);
}

absl::Status NetworkSetup::EnsureNeighbours(Ifindex bridge, const LeaseTable& leases) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Neighbour> neighbours, kernel_->ListNeighbours(bridge));
  std::map<Ipv4Address, MacAddress> standing;
  for (const Neighbour& neighbour : neighbours) {
    standing.emplace(neighbour.address, neighbour.mac);
    if (leases.HasIp(neighbour.address)) continue;
    SVNET_RETURN_IF_ERROR(kernel_->DeleteNeighbour(bridge, neighbour.address));
  }
  for (const auto& [tap, lease] : leases.all()) {
    const auto found = standing.find(lease.spec.ip);
    if (found != standing.end() && found->second == lease.spec.mac) continue;
    SVNET_RETURN_IF_ERROR(
        kernel_->SetNeighbour(bridge, {.address = lease.spec.ip, .mac = lease.spec.mac}));
  }
  return absl::OkStatus();
}

absl::Status NetworkSetup::Guard(const Lease& lease) {
  const absl::Status status = BindGuest(lease);
  if (status.ok()) return status;
  // Perhaps of a lease that stands, and goes on.
  SuspectAll();
  Unguard(lease).IgnoreError();
  return status;
}

absl::Status NetworkSetup::BindGuest(const Lease& lease) {
  SVNET_RETURN_IF_ERROR(
      firewall_->Bind(BindingOf(lease.spec, lease.state.ifindex, settings_.isolation)));
  return kernel_->SetNeighbour(lease.state.bridge,
                               {.address = lease.spec.ip, .mac = lease.spec.mac});
}

absl::Status NetworkSetup::Unguard(const Lease& lease) {
  const absl::Status status = UnbindGuest(lease);
  if (!status.ok()) SuspectAll();
  return status;
}

absl::Status NetworkSetup::UnbindGuest(const Lease& lease) {
  SVNET_RETURN_IF_ERROR(
      firewall_->Unbind(BindingOf(lease.spec, lease.state.ifindex, settings_.isolation)));
  return kernel_->DeleteNeighbour(lease.state.bridge, lease.spec.ip);
}

void NetworkSetup::Undo(const Ensured& ensured) {
  if (ensured.in_use) return;
  if (!ensured.applied_rules && !ensured.bridge.changed()) return;
  SuspectAll();
  // First: the rules that are removed next keep it from others.
  if (ensured.turned_forwarding_on) kernel_->DisableForwarding().IgnoreError();
  if (ensured.applied_rules) others_ = OtherForwarding::kAsItIs;
  if (ensured.applied_rules) firewall_->Remove().IgnoreError();
  if (ensured.bridge.changed()) kernel_->ReleaseBridge(SpecWith(0)).IgnoreError();
}

absl::StatusOr<NetworkSetup::Released> NetworkSetup::Release() {
  SuspectAll();
  standing_.reset();
  mtu_in_use_.reset();
  // Forwarding first: without the rules it would be everybody's.
  const absl::StatusOr<OtherForwarding> others = firewall_->ReadOtherForwarding();
  if (!others.ok()) return Explain(others.status());
  const bool closed = *others == OtherForwarding::kClosed;
  if (closed) {
    const absl::Status off = kernel_->DisableForwarding();
    if (!off.ok()) return Explain(off);
  }
  // The rules next: a bridge without them is what the next start takes for its own.
  const absl::StatusOr<bool> nat_removed = firewall_->Remove();
  if (!nat_removed.ok()) return Explain(nat_removed.status());
  others_ = OtherForwarding::kAsItIs;
  const absl::StatusOr<bool> bridge_removed = kernel_->ReleaseBridge(SpecWith(0));
  if (!bridge_removed.ok()) return Explain(bridge_removed.status());
  if (!*bridge_removed) SVNET_RETURN_IF_ERROR(ForgetNeighbours());
  return Released{
      .bridge_removed = *bridge_removed, .nat_removed = *nat_removed, .forwarding_off = closed};
}

absl::Status NetworkSetup::ForgetNeighbours() {
  const absl::StatusOr<std::optional<Link>> bridge = kernel_->FindLink(settings_.bridge);
  if (!bridge.ok()) return Explain(bridge.status());
  if (!bridge->has_value()) return absl::OkStatus();
  const absl::Status status = EnsureNeighbours((*bridge)->ifindex, LeaseTable());
  return status.ok() ? status : Explain(status);
}

BridgeSpec NetworkSetup::SpecWith(uint32_t mtu) const {
  return {.name = settings_.bridge,
          .mac = settings_.bridge_mac,
          .mtu = mtu,
          .gateway = GatewayOf(settings_.prefix),
          .prefix = settings_.prefix};
}

absl::Status NetworkSetup::Explain(const absl::Status& cause) const {
  return svnet::Explain(Reason::kBridgeSetupFailed,
                        absl::StrCat("cannot set up bridge ", settings_.bridge.text()), cause);
}

}  // namespace svnet
