#include "daemon/network/tap_adopter.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/left_taps.h"
#include "daemon/lease/names.h"
#include "daemon/lease/tampering.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/expiry.h"
#include "daemon/network/failure_reporter.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/link_observer.h"
#include "daemon/network/network_rules.h"
#include "daemon/network/spec_texts.h"
#include "daemon/network/tap_reaper.h"
#include "daemon/segment/segment.h"

namespace svnet {
namespace {

// A link that has come to have the number of a lease's TAP: its alias does not say that it is
// ours, and it is not the owner's.
bool IsSomethingElse(const Link& link, const LeaseSpec& spec) {
  return link.kind != LinkKind::kTap ||
         (link.alias != FormatAlias(spec) && link.owner != spec.key.owner);
}

RetiredTap RetiredTapOf(const LeaseSpec& spec, bool tampered) {
  if (!tampered) return {.address = spec.ip};
  return {.address = spec.ip, .counts_for = spec.key.owner, .queues = CountedQueues(spec)};
}

}  // namespace

absl::StatusOr<std::vector<Link>> TapAdopter::ReadAll(bool* try_again) {
  absl::StatusOr<std::vector<Link>> links = parts_.kernel->ListLinks();
  if (!links.ok()) {
    return WithReason(Reason::kBridgeSetupFailed, "cannot read the host's links", links.status());
  }
  EndLeasesWithoutLink(*links);
  const SpecTexts::Changes texts = ReadTexts(*links);
  AdoptUnknownTaps(*links, try_again);
  NoteTexts(texts);
  parts_.segment->NoteLinks(*links);
  parts_.observer->ObserveAll(*links);
  SVNET_RETURN_IF_ERROR(ReadStaticMacs());
  return links;
}

absl::Status TapAdopter::CheckLeft(const std::vector<Link>& links) const {
  return CheckLeftTaps(links, parts_.segment->PlanAmong(links), settings_.prefix);
}

void TapAdopter::EndLeasesWithoutLink(const std::vector<Link>& links) {
  LeaseBook& book = *parts_.book;
  std::map<Ifindex, const Link*> found;
  for (const Link& link : links) found.emplace(link.ifindex, &link);
  std::vector<Lease> vanished;
  for (const auto& [tap, lease] : book.leases().all()) {
    const auto link = found.find(lease.state.ifindex);
    if (link == found.end() || IsSomethingElse(*link->second, lease.spec)) {
      vanished.push_back(lease);
    }
  }
  for (const Lease& lease : vanished) parts_.reaper->EndVanished(lease);
  for (const Ifindex tap : book.WaitingTaps()) {
    if (!found.contains(tap)) book.NoteGone(tap);
  }
}

// What an earlier svnetd left, and TAPs that a person has made by hand.
void TapAdopter::AdoptUnknownTaps(const std::vector<Link>& links, bool* try_again) {
  LeaseBook& book = *parts_.book;
  std::vector<Link> unknown;
  for (const Link& link : links) {
    const bool known =
        book.leases().FindByIfindex(link.ifindex) != nullptr || book.IsRetired(link.ifindex);
    if (!known) unknown.push_back(link);
  }
  Adoption adoption =
      Adopt(unknown, parts_.segment->PlanAmong(links), settings_.prefix,
            [&](const std::string& digest) { return parts_.texts->ViewOf(digest); });
  not_adopted_ = std::move(adoption.conditions);
  for (const Lease& lease : adoption.leases) {
    if (!AdoptLease(lease)) not_adopted_.push_back(InTheWay(lease.spec.tap.text()));
  }
  for (const EndedTap& tap : adoption.tampered) {
    if (!RetireTampered(tap).ok()) *try_again = true;
  }
  for (const EndedTap& tap : adoption.retired) AdoptRetired(tap);
}

bool TapAdopter::AdoptLease(const Lease& lease) {
  if (!parts_.book->Adopt(lease)) return false;
  parts_.rules->MarkDirty();
  parts_.segment->NoteAdopted(lease);
  // Perhaps a repair was never finished.
  if (!lease.state.pinned && parts_.segment->plan().kind == NetworkKind::kBridge) {
    parts_.book->MarkDirty(lease.state.ifindex, "its MAC had no fixed place on the bridge");
  }
  parts_.expiry->Adopt(lease, parts_.clock());
  parts_.events->Publish({.type = TapEvent::Type::kAdded, .lease = lease, .message = {}});
  return true;
}

SpecTexts::Changes TapAdopter::ReadTexts(const std::vector<Link>& links) {
  std::set<std::string> digests;
  for (const auto& [digest, count] : parts_.book->leases().texts()) digests.insert(digest);
  const TapPlan plan = parts_.segment->PlanAmong(links);
  for (const Link& link : links) {
    if (!IsOurTap(link, plan)) continue;
    const absl::string_view digest = TextDigestIn(link.alias);
    if (!digest.empty()) digests.emplace(digest);
  }
  return parts_.texts->Look(digests);
}

void TapAdopter::NoteTexts(const SpecTexts::Changes& changes) {
  for (const std::string& digest : changes.met) {
    if (!parts_.book->leases().texts().contains(digest)) parts_.texts->Forget(digest);
  }
  ReportLost(changes.lost);
  ReadmitLeasesWith(changes.found);
  for (const std::string& what : changes.restored) {
    parts_.events->Publish(
        {.type = TapEvent::Type::kNoted, .lease = std::nullopt, .message = what, .repaired = {}});
  }
  for (const std::string& what : changes.failed) parts_.failures->Report(what);
}

void TapAdopter::ReportLost(const std::map<std::string, std::string>& lost) {
  if (lost.empty()) return;
  for (const auto& [tap, lease] : parts_.book->leases().all()) {
    const auto why = lost.find(lease.spec.text_digest);
    if (why == lost.end()) continue;
    parts_.failures->Report(absl::StrCat("the guest on ", tap.text(), " is cut off, because what ",
                                         "it was granted cannot be read: ", why->second));
  }
}

std::vector<Lease> TapAdopter::LeasesWith(const std::set<std::string>& texts) const {
  std::vector<Lease> leases;
  for (const auto& [tap, lease] : parts_.book->leases().all()) {
    if (texts.contains(lease.spec.text_digest)) leases.push_back(lease);
  }
  return leases;
}

void TapAdopter::ReadmitLeasesWith(const std::set<std::string>& texts) {
  for (Lease lease : LeasesWith(texts)) {
    lease.spec.view = parts_.texts->ViewOf(lease.spec.text_digest);
    parts_.book->SetSpec(lease.spec);
    // The guest's own addresses.
    parts_.segment->MarkEntriesDirty();
    // Rules that are not there yet will have them.
    if (!parts_.rules->are_clean()) continue;
    // If that fails, all rules are made anew.
    parts_.rules->Admit(lease.spec, lease.state.ifindex).IgnoreError();
    parts_.events->Publish({.type = TapEvent::Type::kRepaired,
                            .lease = lease,
                            .message = "its spec was lost, and is there again",
                            .repaired = {"tap"}});
  }
}

void TapAdopter::AdoptRetired(const EndedTap& tap) {
  RetiredTap retired = RetiredTapOf(tap.lease.spec, !tap.tampering.empty());
  retired.group_number = tap.retired_group;
  parts_.book->RetireUnleased(tap.lease.state.ifindex, retired, parts_.clock());
  if (tap.mac != parts_.segment->plan().mac) parts_.book->FlushReap();
}

absl::Status TapAdopter::RetireTampered(const EndedTap& tap) {
  const LeaseSpec& spec = tap.lease.spec;
  const Ifindex ifindex = tap.lease.state.ifindex;
  // An earlier svnetd's rules may still let it through. If that fails, all are made anew.
  parts_.rules->Revoke(spec, ifindex).IgnoreError();
  parts_.segment->Detach(tap.lease).IgnoreError();
  const absl::Status retired = parts_.reaper->RetireTap(ifindex, RetiredTapOf(spec, true));
  if (!retired.ok()) {
    parts_.failures->Report(absl::StrCat("cannot remove ", spec.tap.text(), " (", tap.tampering,
                                         "): ", retired.message()));
    return retired;
  }
  if (tap.mac != parts_.segment->plan().mac) parts_.book->FlushReap();
  parts_.events->Publish({.type = TapEvent::Type::kRemoved,
                          .lease = tap.lease,
                          .message = ByItsHolder(tap.tampering)});
  return absl::OkStatus();
}

absl::Status TapAdopter::ReadStaticMacs() {
  const Ifindex bridge = parts_.segment->gateway().ifindex;
  const LeaseTable& leases = parts_.book->leases();
  if (bridge == 0 || leases.size() == 0) return absl::OkStatus();
  const auto macs = parts_.kernel->ListStaticMacs(bridge);
  if (!macs.ok()) {
    return WithReason(Reason::kBridgeSetupFailed, "cannot read the host's links", macs.status());
  }
  for (const auto& [name, lease] : leases.all()) {
    if (!lease.state.pinned || lease.state.bridge != bridge) continue;
    if (macs->contains({lease.state.ifindex, lease.spec.mac})) continue;
    parts_.observer->NoteLostPlace(lease.state.ifindex);
  }
  return absl::OkStatus();
}

}  // namespace svnet
