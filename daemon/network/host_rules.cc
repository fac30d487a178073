#include "daemon/network/host_rules.h"

#include <utility>

#include "daemon/base/status_macros.h"

namespace svnet {

std::vector<NetworkGuests> HostRules::AllGuests() const {
  std::vector<NetworkGuests> all;
  for (const Member* member : members_) {
    if (std::optional<NetworkGuests> guests = member->Guests()) all.push_back(*std::move(guests));
  }
  return all;
}

// A network's rules have counters of its own.
absl::StatusOr<bool> HostRules::ExistFor(const NetworkName& network) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<DropCount> drops, firewall_.ReadDrops(network));
  return !drops.empty();
}

absl::StatusOr<bool> HostRules::PlanForwarding(bool needed) {
  if (!others_.has_value()) {
    SVNET_ASSIGN_OR_RETURN(others_, firewall_.ReadOtherForwarding());
  }
  if (!needed) return false;
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, kernel_.IsForwarding());
  if (forwarding) return false;
  if (others_ != OtherForwarding::kClosed) clean_ = false;
  others_ = OtherForwarding::kClosed;
  return true;
}

absl::Status HostRules::Apply() { return ApplyFor(AllGuests()); }

absl::Status HostRules::ApplyFor(const std::vector<NetworkGuests>& guests) {
  SVNET_RETURN_IF_ERROR(firewall_.Apply(guests, others()));
  have_views_ = HaveViews(guests);
  clean_ = true;
  return absl::OkStatus();
}

absl::Status HostRules::ApplyWith(const NetworkName& network, const Binding& binding) {
  std::vector<NetworkGuests> guests = AllGuests();
  for (NetworkGuests& each : guests) {
    if (each.name == network) each.bindings.push_back(binding);
  }
  return ApplyFor(guests);
}

absl::Status HostRules::Bind(const NetworkName& network, const Binding& binding) {
  const bool is_first_view = binding.view.has_value() && !have_views_;
  const absl::Status status =
      is_first_view ? ApplyWith(network, binding) : firewall_.Bind(network, binding);
  if (!status.ok()) MarkDirty();
  return status;
}

absl::Status HostRules::Unbind(const NetworkName& network, const Binding& binding) {
  const absl::Status status = firewall_.Unbind(network, binding);
  if (!status.ok()) MarkDirty();
  return status;
}

absl::Status HostRules::SetPreferredSources(const NetworkName& network,
                                            const std::map<Ifindex, Ipv4Address>& sources) {
  wanted_sources_[network] = sources;
  std::map<Ifindex, Ipv4Address> all;
  for (const auto& [name, wanted] : wanted_sources_) all.insert(wanted.begin(), wanted.end());
  if (preferred_sources_ == all) return absl::OkStatus();
  const absl::Status status = firewall_.SetPreferredSources(all);
  if (status.ok()) preferred_sources_ = std::move(all);
  if (!status.ok()) MarkDirty();
  return status;
}

bool HostRules::OpenOtherForwarding() {
  if (others_ != OtherForwarding::kClosed) return false;
  others_ = OtherForwarding::kAsItIs;
  // Rules that are gone are applied again without it.
  if (!firewall_.OpenOtherForwarding().ok()) MarkDirty();
  return true;
}

absl::Status HostRules::NoteChanges() {
  const absl::StatusOr<bool> changed = firewall_.WereChanged();
  if (!changed.ok() || *changed) MarkDirty();
  return changed.status();
}

absl::StatusOr<HostRules::Released> HostRules::Release() {
  MarkDirty();
  if (!AllGuests().empty()) {
    SVNET_RETURN_IF_ERROR(Apply());
    return Released{};
  }
  MarkForwardingDirty();
  // Forwarding first: without the rules it would be on for every link.
  SVNET_ASSIGN_OR_RETURN(const OtherForwarding others, firewall_.ReadOtherForwarding());
  Released released = {.forwarding_off = others == OtherForwarding::kClosed};
  if (released.forwarding_off) SVNET_RETURN_IF_ERROR(kernel_.DisableForwarding());
  SVNET_ASSIGN_OR_RETURN(released.nat_removed, firewall_.Remove());
  others_ = OtherForwarding::kAsItIs;
  return released;
}

void HostRules::Undo(bool turned_forwarding_on, bool applied) {
  MarkDirty();
  MarkForwardingDirty();
  if (!AllGuests().empty()) {
    // Forwarding stays on: the others had it, or lacked it.
    if (applied) Apply().IgnoreError();
    return;
  }
  // First, because the rules that are removed next keep it from other links.
  if (turned_forwarding_on) kernel_.DisableForwarding().IgnoreError();
  if (!applied) return;
  others_ = OtherForwarding::kAsItIs;
  firewall_.Remove().IgnoreError();
}

absl::Status HostRules::Disown() {
  if (!clean_) return absl::OkStatus();
  return firewall_.Disown(AllGuests(), others());
}

}  // namespace svnet
