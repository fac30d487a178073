// LeaseKeeper: what the kernel says, and what is done about it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/names.h"
#include "daemon/lease/tampering.h"
#include "daemon/network/lease_keeper.h"

namespace svnet {
namespace {

constexpr char kNetwork[] = "the network";

}  // namespace

void LeaseKeeper::Note(const KernelChanges& changes) {
  for (const Link& link : changes.earlier_taps) NoteEarlierTap(link);
  for (const auto& [tap, link] : changes.links) NoteLink(link);
  for (const Ifindex tap : changes.gone) {
    ports_.erase(tap);
    reap_queue_.NoteGone(tap);
    if (tap == setup_.bridge()) setup_.SuspectBridge();
    if (const Lease* lease = leases_.FindByIfindex(tap)) EndVanished(*lease);
  }
  for (const auto& [tap, pinned] : changes.pinned) {
    const Lease* lease = leases_.FindByIfindex(tap);
    if (lease != nullptr && lease->state.pinned && !pinned) suspects_[tap];
  }
  if (changes.forwarding || changes.addresses.contains(setup_.bridge())) setup_.SuspectBridge();
  NoteNeighbours(changes);
}

void LeaseKeeper::NoteLink(const Link& link) {
  if (setup_.IsAmiss(link)) setup_.SuspectBridge();
  NotePort(link);
  if (reap_queue_.Contains(link.ifindex)) NoteOwnMac(link);
  if (const Lease* lease = leases_.FindByIfindex(link.ifindex)) return NoteLeasesLink(link, *lease);
  // Somebody has made, or marked, a TAP as ours.
  const bool perhaps_a_lease = link.kind == LinkKind::kTap && link.persistent &&
                               !reap_queue_.Contains(link.ifindex) && IsOurTap(link, Plan());
  if (perhaps_a_lease) resync_ = true;
}

void LeaseKeeper::NotePort(const Link& link) {
  if (setup_.bridge() == 0) return;
  if (link.master == setup_.bridge()) {
    ports_.insert(link.ifindex);
  } else {
    ports_.erase(link.ifindex);
  }
}

// What was changed and changed back: that it is right now does not undo what it did. While
// svnetd makes a TAP, it has no alias yet, and is made persistent last.
void LeaseKeeper::NoteEarlierTap(Link link) {
  const Lease* lease = leases_.FindByIfindex(link.ifindex);
  if (lease == nullptr || !IsAlias(link.alias)) return;
  link.persistent = true;
  NoteTampering(link, *lease);
}

void LeaseKeeper::NoteTampering(const Link& link, const Lease& lease) {
  const std::string what = DescribeTampering(lease.spec, link);
  if (what.empty()) return;
  tampered_.try_emplace(link.ifindex, what);
  NoteOwnMac(link);
}

// With another MAC than svnetd has set, a TAP takes the place of whatever guest has that one.
void LeaseKeeper::NoteOwnMac(const Link& link) {
  if (link.kind != LinkKind::kTap || link.mac == kTapMac) return;
  reap_queue_.FlushNow();
  NoteStolenMac(link.ifindex, link.mac);
}

void LeaseKeeper::NoteStolenMac(Ifindex thief, const MacAddress& mac) {
  const Lease* robbed = leases_.FindByMac(mac);
  if (robbed == nullptr || robbed->state.ifindex == thief) return;
  suspects_[robbed->state.ifindex] = kLostPlace;
  robbed_.insert(robbed->state.ifindex);
}

void LeaseKeeper::NoteLeasesLink(const Link& link, const Lease& lease) {
  NoteTampering(link, lease);
  NoteAttachment(link, lease);
  // What cannot be on a bridge that is not known yet is looked at when it is.
  if (setup_.bridge() == 0) return;
  if (!DescribeDrift(lease, link, Plan()).empty()) suspects_[link.ifindex];
}

void LeaseKeeper::NoteAttachment(const Link& link, const Lease& lease) {
  TapState state = lease.state;
  const bool changed = link.carrier != state.attached;
  state.attached = link.carrier;
  state.was_attached = state.was_attached || link.carrier || link.carrier_ups > 0;
  if (state == lease.state) return;
  leases_.SetState(state);
  if (state.was_attached) lifetimes_.SetAttached(link.ifindex, link.carrier, clock_());
  if (!changed) return;
  publish_({.type = link.carrier ? TapEvent::Type::kAttached : TapEvent::Type::kDetached,
            .lease = lease,
            .message = {}});
}

void LeaseKeeper::LookAt(Ifindex tap) {
  const absl::StatusOr<std::optional<Link>> link = kernel_->FindLink(tap);
  const Lease* lease = leases_.FindByIfindex(tap);
  if (link.ok() && link->has_value() && lease != nullptr) NoteAttachment(**link, *lease);
}

void LeaseKeeper::NoteNeighbours(const KernelChanges& changes) {
  for (const auto& [at, mac] : changes.neighbours) {
    const Lease* lease = at.first == setup_.bridge() ? leases_.FindByIp(at.second) : nullptr;
    if (lease != nullptr && mac != lease->spec.mac) setup_.SuspectNeighbours();
  }
  for (const auto& [at, stands] : changes.static_macs) {
    const Lease* lease = leases_.FindByIfindex(at.first);
    if (lease != nullptr && lease->state.pinned && lease->spec.mac == at.second && !stands) {
      suspects_[at.first] = kLostPlace;
    }
    // A port of ours learns nothing: another MAC behind it is the TAP's own.
    const bool is_ours = lease != nullptr || reap_queue_.Contains(at.first);
    if (is_ours && at.second != kTapMac) NoteStolenMac(at.first, at.second);
  }
}

void LeaseKeeper::NoteEndedProcesses(const std::vector<uint64_t>& tags) {
  for (const uint64_t tag : tags) {
    const auto process = processes_.find(static_cast<Ifindex>(tag));
    if (process == processes_.end()) continue;
    lifetimes_.ProcessEnded(process->first, clock_());
    poller_.Unwatch(process->second.get());
    processes_.erase(process);
  }
}

void LeaseKeeper::EndTampered() {
  const auto tampered = tampered_;
  for (const auto& [tap, what] : tampered) {
    const Lease* lease = leases_.FindByIfindex(tap);
    const LinkName name = lease->spec.tap;
    const absl::Status retired = Retire(*lease, ByItsHolder(what));
    if (retired.ok()) continue;
    try_again_ = clock_() + kRetry;
    Fail(absl::StrCat("cannot remove ", name.text(), " (", what, "): ", retired.message()));
  }
}

// Without leases there is nothing to keep: the next CreateTap makes what it needs.
void LeaseKeeper::Repair() {
  if (leases_.size() == 0) suspects_.clear();
  std::optional<TapEvent> network;
  if (leases_.size() > 0 && setup_.IsSuspect()) network = RepairNetwork();
  if (setup_.IsSuspect()) return;  // one after the other
  const auto suspects = std::exchange(suspects_, {});
  for (const auto& [tap, known] : suspects) RepairTap(tap, known);
  // Whoever is told that the network is repaired finds the guests on it.
  if (network.has_value()) publish_(*network);
}

std::optional<TapEvent> LeaseKeeper::RepairNetwork() {
  if (limit_.IsPaused(kNetwork)) return std::nullopt;
  const Ifindex bridge = setup_.bridge();
  const absl::StatusOr<NetworkSetup::Ensured> ensured = setup_.Ensure(leases_);
  if (!ensured.ok()) {
    limit_.Note(kNetwork, clock_());
    try_again_ = clock_() + kRetry;
    Fail(std::string(ensured.status().message()));
    return std::nullopt;
  }
  if (ensured->bridge.ifindex != bridge) {
    for (const auto& [tap, lease] : leases_.all()) suspects_[lease.state.ifindex];
  }
  if (ensured->turned_forwarding_on && coexistence_ != nullptr) {
    coexistence_->SetForwardsForAll(false);
  }
  if (ensured->repaired.empty()) return std::nullopt;
  limit_.Note(kNetwork, clock_());
  return TapEvent{.type = TapEvent::Type::kRepaired,
                  .lease = std::nullopt,
                  .message = ensured->repaired,
                  .repaired = ensured->repaired_things};
}

// The notification may be old: so it looks.
void LeaseKeeper::RepairTap(Ifindex tap, const std::string& known) {
  const Lease* lease = leases_.FindByIfindex(tap);
  if (lease == nullptr) return;
  const absl::StatusOr<std::optional<Link>> link = kernel_->FindLink(tap);
  if (!link.ok()) {
    try_again_ = clock_() + kRetry;
    return;
  }
  if (!link->has_value()) return EndVanished(*lease);
  std::string drift = DescribeDrift(*lease, **link, Plan());
  if (drift.empty()) drift = known;
  if (drift.empty()) return;
  if (robbed_.erase(tap) == 0) {
    if (limit_.IsPaused(lease->spec.tap.text())) return;
    limit_.Note(lease->spec.tap.text(), clock_());
  }
  const absl::StatusOr<bool> pinned =
      kernel_->RepairTap(tap, lease->spec.tap, PlanPort(*lease, Plan()));
  if (!pinned.ok()) {
    try_again_ = clock_() + kRetry;
    return Fail(absl::StrCat("cannot repair ", lease->spec.tap.text(), " (", drift,
                             "): ", pinned.status().message()));
  }
  TapState state = lease->state;
  state.pinned = *pinned;
  state.bridge = setup_.bridge();
  leases_.SetState(state);
  publish_(
      {.type = TapEvent::Type::kRepaired, .lease = *lease, .message = drift, .repaired = {"tap"}});
}

void LeaseKeeper::EndOver() {
  for (const Ifindex tap : lifetimes_.Due(clock_())) EndUnlessHeld(*leases_.FindByIfindex(tap));
}

void LeaseKeeper::EndUnlessHeld(const Lease& lease) {
  const absl::StatusOr<std::optional<Link>> link = kernel_->FindLink(lease.state.ifindex);
  // A process may have opened it in this instant.
  if (link.ok() && link->has_value() && (*link)->carrier) return NoteAttachment(**link, lease);
  UniqueFd hold;
  if (link.ok() && link->has_value()) {
    const absl::StatusOr<bool> held = IsHeld(lease, **link, &hold);
    // Its holder has turned the carrier off. When it lets go, nothing says so.
    if (held.ok() && *held) return lifetimes_.PutOff(lease.state.ifindex, clock_() + kHeldRetry);
  }
  const LinkName name = lease.spec.tap;
  const bool bound = std::holds_alternative<BoundToProcess>(lease.spec.lifetime);
  const absl::Status retired =
      Retire(lease, bound ? "its process has ended" : "its VMM has let go of the TAP");
  if (retired.ok()) return;
  try_again_ = clock_() + kRetry;
  Fail(absl::StrCat("cannot end the lease of ", name.text(), ": ", retired.message()));
}

absl::StatusOr<bool> LeaseKeeper::IsHeld(const Lease& lease, const Link& link, UniqueFd* hold) {
  if (link.open_queues.has_value()) return *link.open_queues > 0;
  SVNET_ASSIGN_OR_RETURN(std::optional<UniqueFd> held_by_us,
                         kernel_->HoldTap(lease.spec.tap, lease.state.ifindex));
  if (!held_by_us.has_value()) return true;
  *hold = *std::move(held_by_us);
  return false;
}

void LeaseKeeper::Reschedule() {
  std::optional<absl::Time> next = try_again_;
  const absl::Time now = clock_();
  for (const std::optional<absl::Time>& due : {lifetimes_.NextDue(), limit_.NextDue()}) {
    // What is over and could not be ended waits for try_again_.
    if (due.has_value() && *due > now && (!next.has_value() || *due < *next)) next = due;
  }
  poller_.ArmTimer(next);
}

}  // namespace svnet
