#include "daemon/network/reap_queue.h"

#include <algorithm>
#include <utility>

namespace svnet {

uint32_t ReapQueue::NextGroup() const {
  uint32_t smallest = 0;
  size_t size = SIZE_MAX;
  for (uint32_t number = 0; number < pieces_.size(); ++number) {
    const Piece& piece = pieces_[number];
    if (!piece.being_reaped.empty()) continue;
    const bool has_others = HasOthers(number);
    if (piece.waiting.size() < kPieceSize && !has_others) return number;
    const size_t cost = has_others ? SIZE_MAX - 1 : piece.waiting.size();
    if (cost >= size) continue;
    smallest = number;
    size = cost;
  }
  return smallest;
}

bool ReapQueue::HasOthers(uint32_t group_number) const {
  return std::any_of(others_.begin(), others_.end(),
                     [&](const auto& each) { return each.second == group_number; });
}

void ReapQueue::NoteGroup(Ifindex link, std::optional<uint32_t> group_number) {
  if (!group_number.has_value() || Contains(link)) {
    others_.erase(link);
  } else {
    others_[link] = *group_number;
  }
}

void ReapQueue::Add(Ifindex tap, const RetiredTap& what, absl::Time now) {
  others_.erase(tap);
  for (Piece& each : pieces_) {
    const auto before = each.waiting.find(tap);
    if (before == each.waiting.end()) continue;
    Discount(tap, before->second);
    each.waiting.erase(before);
  }
  Piece& piece = pieces_[what.group_number];
  piece.waiting.emplace(tap, what);
  Count(tap, what);
  if (what.counts_for.has_value()) {
    penalties_end_ = std::min(penalties_end_, now + kPenalty);
    return;
  }
  if (!piece.due) oldest_ = std::min(oldest_, now);
  NoteActivity(now);
}

void ReapQueue::Count(Ifindex tap, const RetiredTap& what) {
  ++taps_[tap];
  if (what.address.has_value()) ++addresses_[*what.address];
  if (!what.counts_for.has_value()) return;
  Holdings& holdings = holdings_[*what.counts_for];
  ++holdings.taps;
  holdings.queues += what.queues;
}

void ReapQueue::Discount(Ifindex tap, const RetiredTap& what) {
  if (--taps_[tap] == 0) taps_.erase(tap);
  if (what.address.has_value() && --addresses_[*what.address] == 0) addresses_.erase(*what.address);
  if (!what.counts_for.has_value()) return;
  const auto holdings = holdings_.find(*what.counts_for);
  holdings->second.queues -= what.queues;
  if (--holdings->second.taps == 0) holdings_.erase(holdings);
}

void ReapQueue::NoteGone(Ifindex tap) {
  others_.erase(tap);
  for (Piece& piece : pieces_) {
    for (RetiredTaps* taps : {&piece.waiting, &piece.being_reaped}) {
      if (const auto found = taps->find(tap); found != taps->end()) found->second.gone = true;
    }
  }
}

size_t ReapQueue::waiting() const {
  size_t count = 0;
  for (const Piece& piece : pieces_) count += piece.waiting.size();
  return count;
}

size_t ReapQueue::size() const {
  size_t count = waiting();
  for (const Piece& piece : pieces_) count += piece.being_reaped.size();
  return count;
}

bool ReapQueue::HasDevices() const {
  const auto exists = [](const auto& each) { return !each.second.gone; };
  return std::any_of(pieces_.begin(), pieces_.end(), [&](const Piece& piece) {
    return std::any_of(piece.waiting.begin(), piece.waiting.end(), exists) ||
           std::any_of(piece.being_reaped.begin(), piece.being_reaped.end(), exists);
  });
}

size_t ReapQueue::addresses() const {
  size_t count = 0;
  for (const Piece& piece : pieces_) {
    for (const RetiredTaps* taps : {&piece.waiting, &piece.being_reaped}) {
      count += std::count_if(taps->begin(), taps->end(),
                             [](const auto& each) { return each.second.address.has_value(); });
    }
  }
  return count;
}

Holdings ReapQueue::HoldingsOf(uid_t owner) const {
  const auto holdings = holdings_.find(owner);
  return holdings == holdings_.end() ? Holdings() : holdings->second;
}

std::vector<Ifindex> ReapQueue::WaitingTaps() const {
  std::vector<Ifindex> taps;
  for (const Piece& piece : pieces_) {
    for (const auto& [tap, what] : piece.waiting) taps.push_back(tap);
  }
  return taps;
}

bool ReapQueue::HasPiece() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& each) { return each.CanBeTaken(); });
}

bool ReapQueue::HasDuePiece() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& each) { return each.due && each.CanBeTaken(); });
}

std::optional<absl::Time> ReapQueue::NextDue() const {
  if (taps_.empty() || !HasPiece()) return std::nullopt;
  if (flush_now_ || HasDuePiece()) return std::max(not_before_, absl::UnixEpoch());
  absl::Time due = penalties_end_;
  if (oldest_ != absl::InfiniteFuture()) {
    const absl::Duration quiet = waiting() < kLargeBatch ? kQuietPeriod : kQuietPeriod / 5;
    due = std::min({due, last_activity_ + quiet, oldest_ + kMaxDelay});
  }
  return std::max(not_before_, due);
}

ReapPiece ReapQueue::Take() {
  if (!HasDuePiece()) {
    for (Piece& piece : pieces_) piece.due = !piece.waiting.empty();
    oldest_ = absl::InfiniteFuture();
    penalties_end_ = absl::InfiniteFuture();
    flush_now_ = false;
  }
  uint32_t number = 0;
  while (!pieces_[number].due || !pieces_[number].CanBeTaken()) ++number;
  Piece& piece = pieces_[number];
  piece.being_reaped = std::exchange(piece.waiting, {});
  piece.due = false;
  return {.group_number = number, .has_others = HasOthers(number), .taps = piece.being_reaped};
}

bool ReapQueue::IsTaken() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& each) { return !each.being_reaped.empty(); });
}

RetiredTaps ReapQueue::Finish(uint32_t group_number, ReapOutcome outcome) {
  Piece& piece = pieces_[group_number];
  RetiredTaps taps = std::exchange(piece.being_reaped, {});
  for (auto [ifindex, tap] : taps) {
    tap.gone |= outcome == ReapOutcome::kFlowsLeft;
    // The number may have been reused by a TAP that waits by now.
    const bool over = outcome == ReapOutcome::kDone || !piece.waiting.emplace(ifindex, tap).second;
    if (over) Discount(ifindex, tap);
  }
  piece.due |= outcome != ReapOutcome::kDone;
  return taps;
}

}  // namespace svnet
