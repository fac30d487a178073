#include "daemon/network/lease_book.h"

#include <utility>

#include "daemon/network/reap_queue.h"

namespace svnet {

LeaseBook::LeaseBook(const Ipv4Prefix& prefix)
    : pool_(prefix), reap_queue_(std::make_unique<ReapQueue>()) {}

LeaseBook::~LeaseBook() = default;

Holdings LeaseBook::HoldingsOf(uid_t owner) const {
  Holdings holdings = leases_.HoldingsOf(owner);
  holdings += reap_queue_->HoldingsOf(owner);
  return holdings;
}

bool LeaseBook::Insert(const Lease& lease, absl::Time now) {
  if (!leases_.Insert(lease)) return false;
  pool_.Take(lease.spec.ip).IgnoreError();
  reap_queue_->NoteActivity(now);
  return true;
}

bool LeaseBook::Adopt(const Lease& lease) {
  if (!leases_.Insert(lease)) return false;
  pool_.Adopt(lease.spec.ip).IgnoreError();
  return true;
}

void LeaseBook::PassOver(Ipv4Address address) {
  if (pool_.Take(address).ok()) pool_.Free(address);
}

void LeaseBook::SetState(const TapState& state) { leases_.SetState(state); }

uint32_t LeaseBook::NextRetiredGroup() const { return reap_queue_->NextGroup(); }

Lease LeaseBook::Retire(Ifindex tap, const Retirement& how, absl::Time now) {
  const Lease lease = *leases_.FindByIfindex(tap);
  RetiredTap retired = {
      .address = lease.spec.ip, .gone = how.gone, .group_number = how.group_number};
  if (how.counts_for_owner) {
    retired.counts_for = lease.spec.key.owner;
    retired.queues = CountedQueues(lease.spec);
  }
  leases_.Erase(lease.spec.tap);
  notes_.erase(tap);
  reap_queue_->Add(tap, retired, now);
  return lease;
}

void LeaseBook::RetireUnleased(Ifindex tap, const RetiredTap& what, absl::Time now) {
  if (what.address.has_value()) pool_.Adopt(*what.address).IgnoreError();
  reap_queue_->Add(tap, what, now);
}

bool LeaseBook::IsRetired(Ifindex tap) const { return reap_queue_->Contains(tap); }

bool LeaseBook::HasRetiredAddress(Ipv4Address address) const {
  return reap_queue_->HasAddress(address);
}

size_t LeaseBook::retired_taps() const { return reap_queue_->size(); }

size_t LeaseBook::retired_addresses() const { return reap_queue_->addresses(); }

bool LeaseBook::HasRetiredDevices() const { return reap_queue_->HasDevices(); }

std::vector<Ifindex> LeaseBook::WaitingTaps() const { return reap_queue_->WaitingTaps(); }

std::optional<absl::Time> LeaseBook::NextReap() const { return reap_queue_->NextDue(); }

bool LeaseBook::IsReaping() const { return reap_queue_->IsTaken(); }

ReapPiece LeaseBook::TakeReapPiece() { return reap_queue_->Take(); }

RetiredTaps LeaseBook::FinishReap(uint32_t group_number, ReapOutcome outcome) {
  RetiredTaps taps = reap_queue_->Finish(group_number, outcome);
  if (outcome != ReapOutcome::kDone) return taps;
  for (const auto& [ifindex, tap] : taps) {
    if (!tap.address.has_value()) continue;
    const Ipv4Address address = *tap.address;
    if (!leases_.HasIp(address) && !HasRetiredAddress(address)) pool_.Free(address);
  }
  return taps;
}

void LeaseBook::DelayReap(absl::Time until) { reap_queue_->DelayUntil(until); }

void LeaseBook::FlushReap() { reap_queue_->FlushNow(); }

void LeaseBook::NoteGroup(Ifindex link, std::optional<uint32_t> group_number) {
  reap_queue_->NoteGroup(link, group_number);
}

void LeaseBook::ForgetGroups() { reap_queue_->ForgetGroups(); }

void LeaseBook::NoteGone(Ifindex link) { reap_queue_->NoteGone(link); }

TapNotes* LeaseBook::NotesOf(Ifindex tap) {
  return leases_.FindByIfindex(tap) == nullptr ? nullptr : &notes_[tap];
}

void LeaseBook::MarkDirty(Ifindex tap) {
  TapNotes* notes = NotesOf(tap);
  if (notes != nullptr && !notes->dirty.has_value()) notes->dirty = "";
}

void LeaseBook::MarkDirty(Ifindex tap, const std::string& known) {
  if (TapNotes* notes = NotesOf(tap)) notes->dirty = known;
}

void LeaseBook::MarkAllDirty() {
  for (const auto& [tap, lease] : leases_.all()) MarkDirty(lease.state.ifindex);
}

void LeaseBook::MarkTampered(Ifindex tap, const std::string& what) {
  TapNotes* notes = NotesOf(tap);
  if (notes != nullptr && notes->tampering.empty()) notes->tampering = what;
}

void LeaseBook::MarkRobbed(Ifindex tap) {
  if (TapNotes* notes = NotesOf(tap)) notes->robbed = true;
}

bool LeaseBook::IsTampered(Ifindex tap) const {
  const auto notes = notes_.find(tap);
  return notes != notes_.end() && !notes->second.tampering.empty();
}

std::map<Ifindex, std::string> LeaseBook::TakeDirty() {
  std::map<Ifindex, std::string> dirty;
  for (auto& [tap, notes] : notes_) {
    if (notes.dirty.has_value()) dirty.emplace(tap, *std::exchange(notes.dirty, std::nullopt));
  }
  for (const auto& [tap, known] : dirty) ForgetIfEmpty(tap);
  return dirty;
}

bool LeaseBook::TakeRobbed(Ifindex tap) {
  const auto notes = notes_.find(tap);
  if (notes == notes_.end()) return false;
  const bool robbed = std::exchange(notes->second.robbed, false);
  ForgetIfEmpty(tap);
  return robbed;
}

void LeaseBook::ForgetIfEmpty(Ifindex tap) {
  const auto found = notes_.find(tap);
  if (found == notes_.end()) return;
  const TapNotes& notes = found->second;
  if (!notes.dirty.has_value() && notes.tampering.empty() && !notes.robbed) notes_.erase(found);
}

}  // namespace svnet
