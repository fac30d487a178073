// LeaseKeeper: what the kernel says, and what is done about it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/network/alias.h"
#include "daemon/network/lease_keeper.h"
#include "daemon/network/names.h"

namespace svnet {
namespace {

constexpr char kNetwork[] = "the network";

}  // namespace

void LeaseKeeper::Note(const KernelChanges& changes) {
  for (const auto& [tap, link] : changes.links) NoteLink(link);
  for (const Ifindex tap : changes.gone) {
    ports_.erase(tap);
    dying_.NoteGone(tap);
    if (tap == setup_.bridge()) setup_.SuspectBridge();
    if (const Lease* lease = leases_.FindByIfindex(tap)) EndVanished(*lease);
  }
  for (const auto& [tap, pinned] : changes.pinned) {
    const Lease* lease = leases_.FindByIfindex(tap);
    if (lease != nullptr && lease->pinned && !pinned) suspects_[tap];
  }
  if (changes.forwarding || changes.addresses.contains(setup_.bridge())) setup_.SuspectBridge();
  NoteNeighbours(changes);
}

void LeaseKeeper::NoteLink(const Link& link) {
  if (setup_.IsAmiss(link)) setup_.SuspectBridge();
  NotePort(link);
  if (Lease* lease = leases_.FindByIfindex(link.ifindex)) return NoteLeasesLink(link, lease);
  // Somebody has made, or marked, a TAP as ours.
  const bool perhaps_a_lease = link.kind == LinkKind::kTap && link.persistent &&
                               !dying_.Contains(link.ifindex) &&
                               IsAliasOf(link.alias, settings_.bridge);
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

void LeaseKeeper::NoteLeasesLink(const Link& link, Lease* lease) {
  NoteAttachment(link, lease);
  // What cannot be on a bridge that is not known yet is looked at when it is.
  if (setup_.bridge() == 0) return;
  if (!DescribeDrift(*lease, link, Plan()).empty()) suspects_[link.ifindex];
}

void LeaseKeeper::NoteAttachment(const Link& link, Lease* lease) {
  const bool was_attached = link.carrier || link.carrier_ups > 0;
  if (link.carrier == lease->attached && was_attached == lease->was_attached) return;
  const bool changed = std::exchange(lease->attached, link.carrier) != link.carrier;
  lease->was_attached = lease->was_attached || was_attached;
  if (lease->was_attached) lifetimes_.SetAttached(link.ifindex, link.carrier, clock_());
  if (!changed) return;
  publish_({.type = link.carrier ? TapEvent::Type::kAttached : TapEvent::Type::kDetached,
            .lease = *lease,
            .message = {}});
}

void LeaseKeeper::LookAt(Ifindex tap) {
  const absl::StatusOr<std::optional<Link>> link = kernel_->FindLink(tap);
  Lease* lease = leases_.FindByIfindex(tap);
  if (link.ok() && link->has_value() && lease != nullptr) NoteAttachment(**link, lease);
}

void LeaseKeeper::NoteNeighbours(const KernelChanges& changes) {
  for (const auto& [at, mac] : changes.neighbours) {
    const Lease* lease = at.first == setup_.bridge() ? leases_.FindByIp(at.second) : nullptr;
    if (lease != nullptr && mac != lease->mac) setup_.SuspectNeighbours();
  }
  for (const auto& [at, stands] : changes.static_macs) {
    const Lease* lease = leases_.FindByIfindex(at.first);
    if (lease != nullptr && lease->pinned && lease->mac == at.second && !stands) {
      suspects_[at.first] = "its MAC had lost its place in the bridge's forwarding database";
    }
  }
}

void LeaseKeeper::NoteEndedProcesses(const std::vector<uint64_t>& tags) {
  for (const uint64_t tag : tags) {
    const auto process = processes_.find(static_cast<Ifindex>(tag));
    if (process == processes_.end()) continue;
    lifetimes_.ProcessEnded(process->first, clock_());
    attention_.Unwatch(process->second.get());
    processes_.erase(process);
  }
}

// Without leases there is nothing to keep: the next CreateTap makes what it needs.
void LeaseKeeper::Repair() {
  if (leases_.size() == 0) suspects_.clear();
  if (leases_.size() > 0 && setup_.IsSuspect()) RepairNetwork();
  if (setup_.IsSuspect()) return;  // one after the other
  const auto suspects = std::exchange(suspects_, {});
  for (const auto& [tap, known] : suspects) RepairTap(tap, known);
}

void LeaseKeeper::RepairNetwork() {
  if (limit_.IsPaused(kNetwork)) return;
  const Ifindex bridge = setup_.bridge();
  const absl::StatusOr<NetworkSetup::Ensured> ensured = setup_.Ensure(leases_);
  if (!ensured.ok()) {
    limit_.Note(kNetwork, clock_());
    try_again_ = clock_() + kRetry;
    return Fail(std::string(ensured.status().message()));
  }
  if (ensured->bridge.ifindex != bridge) {
    for (const auto& [tap, lease] : leases_.all()) suspects_[lease.ifindex];
  }
  if (ensured->repaired.empty()) return;
  limit_.Note(kNetwork, clock_());
  publish_({.type = TapEvent::Type::kRepaired,
            .lease = std::nullopt,
            .message = ensured->repaired,
            .repaired = ensured->repaired_things});
}

// The notification may be old: so it looks.
void LeaseKeeper::RepairTap(Ifindex tap, const std::string& known) {
  Lease* lease = leases_.FindByIfindex(tap);
  if (lease == nullptr) return;
  const absl::StatusOr<std::optional<Link>> link = kernel_->FindLink(tap);
  if (!link.ok()) {
    try_again_ = clock_() + kRetry;
    return;
  }
  if (!link->has_value()) return EndVanished(*lease);
  std::string drift = DescribeDrift(*lease, **link, Plan());
  if (drift.empty()) drift = known;
  if (drift.empty() || limit_.IsPaused(lease->tap.text())) return;
  limit_.Note(lease->tap.text(), clock_());
  const absl::StatusOr<bool> pinned = kernel_->RepairTap(tap, lease->tap, PlanPort(*lease, Plan()));
  if (!pinned.ok()) {
    try_again_ = clock_() + kRetry;
    return Fail(absl::StrCat("cannot repair ", lease->tap.text(), " (", drift,
                             "): ", pinned.status().message()));
  }
  lease->pinned = *pinned;
  lease->bridge = setup_.bridge();
  publish_(
      {.type = TapEvent::Type::kRepaired, .lease = *lease, .message = drift, .repaired = {"tap"}});
}

void LeaseKeeper::EndOver() {
  for (const Ifindex tap : lifetimes_.Due(clock_())) {
    Lease* lease = leases_.FindByIfindex(tap);
    const absl::StatusOr<std::optional<Link>> link = kernel_->FindLink(tap);
    // Somebody may have opened it in this instant.
    if (link.ok() && link->has_value() && (*link)->carrier) {
      NoteAttachment(**link, lease);
      continue;
    }
    const bool bound = std::holds_alternative<BoundToProcess>(lease->lifetime);
    const absl::Status retired =
        Retire(*lease, bound ? "its process has ended" : "its VMM has let go of the TAP");
    if (retired.ok()) continue;
    try_again_ = clock_() + kRetry;
    Fail(absl::StrCat("cannot end the lease of ", lease->tap.text(), ": ", retired.message()));
  }
}

void LeaseKeeper::Reschedule() {
  std::optional<absl::Time> next = try_again_;
  const absl::Time now = clock_();
  for (const std::optional<absl::Time>& due : {lifetimes_.NextDue(), limit_.NextDue()}) {
    // What is over and could not be ended waits for try_again_.
    if (due.has_value() && *due > now && (!next.has_value() || *due < *next)) next = due;
  }
  attention_.WakeAt(next);
}

}  // namespace svnet
