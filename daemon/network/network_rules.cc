#include "daemon/network/network_rules.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/spec_texts.h"
#include "daemon/segment/segment.h"

namespace svnet {
namespace {

constexpr char kRemedy[] = "`systemctl restart svnetd` repairs it; no guest is disturbed";

Condition NearlyFull(const ConnectionTable& connections) {
  return {.type = "CONNECTION_TABLE_NEARLY_FULL",
          .message = absl::StrCat(
              "the kernel tracks ", connections.used, " connections of at most ", connections.size,
              ": when that is full, neither guests nor the host can open new ones"),
          .remedy =
              "find whose they are (conntrack -L), set smaller `guest_connections` and "
              "`owner_connections`, or a larger net.netfilter.nf_conntrack_max"};
}

}  // namespace

NetworkRules::NetworkRules(const NetworkName& name, const Segment* segment, Kernel* kernel,
                           Firewall* firewall, const SpecTexts* texts)
    : name_(name), segment_(segment), kernel_(kernel), firewall_(firewall), texts_(texts) {}

absl::StatusOr<NetworkRules::Change> NetworkRules::Ensure(const GuestBridge& bridge,
                                                          const LeaseTable& leases,
                                                          bool forwarding) {
  const bool is_other_bridge = bridge_.has_value() && *bridge_ != bridge;
  const bool was_dirty = !clean_ || is_other_bridge;
  clean_ = !was_dirty;
  Change change;
  absl::Cleanup undo = [&] {
    if (leases.size() == 0) Undo(change);
  };
  SVNET_ASSIGN_OR_RETURN(const bool turn_on, PlanForwarding(forwarding));
  if (!clean_) {
    SVNET_RETURN_IF_ERROR(Apply(bridge, leases));
    change = {.applied = true, .repaired = was_dirty};
  }
  if (turn_on) SVNET_RETURN_IF_ERROR(kernel_->EnableForwarding());
  std::move(undo).Cancel();
  change.turned_forwarding_on = turn_on;
  forwarding_clean_ = true;
  return change;
}

Binding NetworkRules::BindingOf(const LeaseSpec& spec, Ifindex tap) const {
  return {.ifindex = tap,
          .mac = spec.mac,
          .ip = spec.ip,
          .zone = segment_->ZoneOf(spec, tap),
          .owner = spec.key.owner};
}

NetworkGuests NetworkRules::GuestsOn(const GuestBridge& bridge, const LeaseTable& leases) const {
  NetworkGuests guests = {.name = name_, .bridge = bridge};
  guests.bindings.reserve(leases.size());
  for (const auto& [tap, lease] : leases.all()) {
    if (texts_->WhyLost(lease.spec).has_value()) continue;
    guests.bindings.push_back(BindingOf(lease.spec, lease.state.ifindex));
  }
  return guests;
}

absl::Status NetworkRules::Apply(const GuestBridge& bridge, const LeaseTable& leases) {
  SVNET_RETURN_IF_ERROR(
      firewall_->Apply({GuestsOn(bridge, leases)}, others_.value_or(OtherForwarding::kAsItIs)));
  bridge_ = bridge;
  clean_ = true;
  return absl::OkStatus();
}

absl::StatusOr<bool> NetworkRules::PlanForwarding(bool needed) {
  if (!others_.has_value()) {
    SVNET_ASSIGN_OR_RETURN(others_, firewall_->ReadOtherForwarding());
  }
  if (!needed) return false;
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, kernel_->IsForwarding());
  if (forwarding) return false;
  if (others_ != OtherForwarding::kClosed) clean_ = false;
  others_ = OtherForwarding::kClosed;
  return true;
}

void NetworkRules::Undo(const Change& change) {
  MarkDirty();
  MarkForwardingDirty();
  // First, because the rules that are removed next keep it from other links.
  if (change.turned_forwarding_on) kernel_->DisableForwarding().IgnoreError();
  if (!change.applied) return;
  others_ = OtherForwarding::kAsItIs;
  firewall_->Remove().IgnoreError();
}

absl::Status NetworkRules::Admit(const LeaseSpec& spec, Ifindex tap) {
  if (texts_->WhyLost(spec).has_value()) return absl::OkStatus();
  const absl::Status status = firewall_->Bind(name_, BindingOf(spec, tap));
  if (status.ok()) return status;
  MarkDirty();
  Revoke(spec, tap).IgnoreError();
  return status;
}

absl::Status NetworkRules::Revoke(const LeaseSpec& spec, Ifindex tap) {
  const absl::Status status = firewall_->Unbind(name_, BindingOf(spec, tap));
  if (!status.ok()) MarkDirty();
  return status;
}

absl::Status NetworkRules::SetPreferredSources(const std::map<Ifindex, Ipv4Address>& sources) {
  if (preferred_sources_ == sources) return absl::OkStatus();
  const absl::Status status = firewall_->SetPreferredSources(sources);
  if (status.ok()) preferred_sources_ = sources;
  if (!status.ok()) MarkDirty();
  return status;
}

bool NetworkRules::OpenOtherForwarding() {
  if (others_ != OtherForwarding::kClosed) return false;
  others_ = OtherForwarding::kAsItIs;
  // Rules that are gone are applied again without it.
  if (!firewall_->OpenOtherForwarding().ok()) MarkDirty();
  return true;
}

absl::Status NetworkRules::NoteChanges() {
  const absl::StatusOr<bool> changed = firewall_->WereChanged();
  if (!changed.ok() || *changed) MarkDirty();
  return changed.status();
}

absl::StatusOr<NetworkRules::Released> NetworkRules::Release() {
  MarkDirty();
  MarkForwardingDirty();
  bridge_.reset();
  // Forwarding first: without the rules it would be on for every link.
  SVNET_ASSIGN_OR_RETURN(const OtherForwarding others, firewall_->ReadOtherForwarding());
  Released released = {.forwarding_off = others == OtherForwarding::kClosed};
  if (released.forwarding_off) SVNET_RETURN_IF_ERROR(kernel_->DisableForwarding());
  SVNET_ASSIGN_OR_RETURN(released.nat_removed, firewall_->Remove());
  others_ = OtherForwarding::kAsItIs;
  return released;
}

absl::Status NetworkRules::Disown(const LeaseTable& leases) {
  if (!clean_ || !bridge_.has_value()) return absl::OkStatus();
  return firewall_->Disown({GuestsOn(*bridge_, leases)},
                           others_.value_or(OtherForwarding::kAsItIs));
}

absl::Status NetworkRules::AddConditions(bool in_use, std::vector<Condition>* conditions) {
  SVNET_ASSIGN_OR_RETURN(const ConnectionTable connections, ReadConnections());
  if (connections.IsNearlyFull()) conditions->push_back(NearlyFull(connections));
  if (!in_use) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, kernel_->IsForwarding());
  if (!forwarding) {
    conditions->push_back({.type = "FORWARDING_OFF",
                           .message = "net.ipv4.ip_forward is 0: guests cannot get out",
                           .remedy = kRemedy});
  }
  if (!clean_) {
    conditions->push_back({.type = "NAT_MISSING",
                           .message = "svnetd's nftables table is gone: guests cannot get out",
                           .remedy = kRemedy});
  }
  return absl::OkStatus();
}

}  // namespace svnet
