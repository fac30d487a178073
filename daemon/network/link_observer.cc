#include "daemon/network/link_observer.h"

#include <optional>

#include "absl/status/statusor.h"
#include "daemon/lease/adoption.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/names.h"
#include "daemon/lease/tampering.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/expiry.h"
#include "daemon/network/infrastructure.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/tap_reaper.h"

namespace svnet {
namespace {

// Why a TAP needs repair where its link does not show it.
constexpr char kLostPlace[] = "its MAC had lost its place in the bridge's forwarding database";

}  // namespace

bool LinkObserver::Note(const KernelChanges& changes) {
  LeaseBook& book = *parts_.book;
  bool unknown = false;
  for (const Link& link : changes.earlier_taps) NoteEarlierTap(link);
  for (const auto& [ifindex, link] : changes.links) unknown |= NoteLink(link);
  for (const Ifindex gone : changes.gone) {
    book.NoteGone(gone);
    if (const Lease* lease = book.leases().FindByIfindex(gone)) parts_.reaper->EndVanished(*lease);
  }
  for (const auto& [tap, pinned] : changes.pinned) {
    const Lease* lease = book.leases().FindByIfindex(tap);
    if (lease != nullptr && lease->state.pinned && !pinned) book.MarkDirty(tap);
  }
  parts_.infrastructure->Note(changes);
  for (const auto& [tap, why] : parts_.segment->FindSpoilt(changes, book.leases())) {
    book.MarkDirty(tap, why);
  }
  NoteStaticMacs(changes);
  return unknown;
}

void LinkObserver::NoteGroup(const Link& link) {
  parts_.book->NoteGroup(link.ifindex,
                         RetiredGroupNumber(parts_.segment->plan().group, link.group));
}

bool LinkObserver::NoteLink(const Link& link) {
  NoteGroup(link);
  const bool retired = parts_.book->IsRetired(link.ifindex);
  if (retired) NoteOwnMac(link);
  if (const Lease* lease = parts_.book->leases().FindByIfindex(link.ifindex)) {
    ObserveLeaseLink(link, *lease);
    return false;
  }
  return !retired && link.kind == LinkKind::kTap && link.persistent &&
         IsOurTap(link, parts_.segment->plan());
}

// While svnetd makes a TAP, it has no alias yet, and is made persistent last.
void LinkObserver::NoteEarlierTap(Link link) {
  const Lease* lease = parts_.book->leases().FindByIfindex(link.ifindex);
  if (lease == nullptr || !IsAlias(link.alias)) return;
  link.persistent = true;
  NoteTampering(link, *lease);
}

void LinkObserver::NoteTampering(const Link& link, const Lease& lease) {
  const std::string what = DescribeTampering(lease.spec, link, parts_.segment->plan());
  if (what.empty()) return;
  parts_.book->MarkTampered(link.ifindex, what);
  NoteOwnMac(link);
}

void LinkObserver::NoteOwnMac(const Link& link) {
  const TapPlan plan = parts_.segment->plan();
  if (link.kind != LinkKind::kTap || link.mac == plan.mac) return;
  parts_.book->FlushReap();
  if (plan.kind == NetworkKind::kBridge) NoteStolenMac(link.ifindex, link.mac);
}

void LinkObserver::NoteStolenMac(Ifindex thief, const MacAddress& mac) {
  const Lease* robbed = parts_.book->leases().FindByMac(mac);
  if (robbed == nullptr || robbed->state.ifindex == thief) return;
  NoteLostPlace(robbed->state.ifindex);
}

void LinkObserver::NoteLostPlace(Ifindex tap) {
  parts_.book->MarkDirty(tap, kLostPlace);
  parts_.book->MarkRobbed(tap);
}

void LinkObserver::ObserveAll(const std::vector<Link>& links) {
  parts_.book->ForgetGroups();
  for (const Link& link : links) {
    NoteGroup(link);
    const Lease* lease = parts_.book->leases().FindByIfindex(link.ifindex);
    if (lease != nullptr) ObserveLeaseLink(link, *lease);
  }
}

void LinkObserver::ObserveLeaseLink(const Link& link, const Lease& lease) {
  NoteTampering(link, lease);
  ObserveAttachment(link, lease);
  if (!parts_.segment->Compare(lease, link).empty()) parts_.book->MarkDirty(link.ifindex);
}

void LinkObserver::ObserveAttachment(const Link& link, const Lease& lease) {
  TapState state = lease.state;
  state.attached = link.carrier;
  state.was_attached = state.was_attached || link.carrier || link.carrier_ups > 0;
  if (state == lease.state) return;
  const bool changed = state.attached != lease.state.attached;
  parts_.book->SetState(state);
  if (state.was_attached) parts_.expiry->SetAttached(link.ifindex, link.carrier, parts_.clock());
  if (!changed) return;
  parts_.events->Publish(
      {.type = link.carrier ? TapEvent::Type::kAttached : TapEvent::Type::kDetached,
       .lease = lease,
       .message = {}});
}

void LinkObserver::RefreshAttachment(Ifindex tap) {
  const absl::StatusOr<std::optional<Link>> link = parts_.kernel->FindLink(tap);
  const Lease* lease = parts_.book->leases().FindByIfindex(tap);
  if (link.ok() && link->has_value() && lease != nullptr) ObserveAttachment(**link, *lease);
}

void LinkObserver::NoteStaticMacs(const KernelChanges& changes) {
  if (parts_.segment->plan().kind != NetworkKind::kBridge) return;
  LeaseBook& book = *parts_.book;
  for (const auto& [at, exists] : changes.static_macs) {
    const Lease* lease = book.leases().FindByIfindex(at.first);
    const bool is_place = lease != nullptr && lease->state.pinned && lease->spec.mac == at.second;
    if (is_place && !exists) book.MarkDirty(at.first, kLostPlace);
    // A port of ours learns nothing: another MAC behind it is the TAP's own.
    const bool is_ours = lease != nullptr || book.IsRetired(at.first);
    if (is_ours && at.second != kTapMac) NoteStolenMac(at.first, at.second);
  }
}

}  // namespace svnet
