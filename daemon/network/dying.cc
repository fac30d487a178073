#include "daemon/network/dying.h"

#include <algorithm>
#include <utility>

namespace svnet {

void Dying::Add(Ifindex tap, const Tap& what, absl::Time now) {
  if (const auto before = waiting_.find(tap); before != waiting_.end()) Discount(before->second);
  waiting_.insert_or_assign(tap, what);
  if (what.counts_for.has_value()) {
    Holdings& holdings = holdings_[*what.counts_for];
    ++holdings.taps;
    holdings.queues += what.queues;
  }
  if (what.counts_for.has_value()) {
    penalties_end_ = std::min(penalties_end_, now + kPenalty);
    return;
  }
  oldest_ = std::min(oldest_, now);
  Disturb(now);
}

void Dying::Discount(const Tap& what) {
  if (!what.counts_for.has_value()) return;
  const auto holdings = holdings_.find(*what.counts_for);
  holdings->second.queues -= what.queues;
  if (--holdings->second.taps == 0) holdings_.erase(holdings);
}

void Dying::NoteGone(Ifindex tap) {
  for (Batch* batch : {&waiting_, &being_reaped_}) {
    if (const auto found = batch->find(tap); found != batch->end()) found->second.gone = true;
  }
}

void Dying::NoteAllGone() {
  for (Batch* batch : {&waiting_, &being_reaped_}) {
    for (auto& [ifindex, tap] : *batch) tap.gone = true;
  }
}

bool Dying::Contains(Ifindex tap) const {
  return waiting_.contains(tap) || being_reaped_.contains(tap);
}

size_t Dying::addresses() const {
  const auto count = [](const Batch& batch) {
    return std::count_if(batch.begin(), batch.end(),
                         [](const auto& each) { return each.second.address.has_value(); });
  };
  return count(waiting_) + count(being_reaped_);
}

Holdings Dying::HoldingsOf(uid_t owner) const {
  const auto holdings = holdings_.find(owner);
  return holdings == holdings_.end() ? Holdings() : holdings->second;
}

std::optional<absl::Time> Dying::NextDue() const {
  if (waiting_.empty() || IsTaken()) return std::nullopt;
  if (hurry_) return std::max(not_before_, absl::UnixEpoch());
  absl::Time due = penalties_end_;
  if (oldest_ != absl::InfiniteFuture()) {
    const absl::Duration quiet = waiting_.size() < kMany ? kQuiet : kQuiet / 5;
    due = std::min({due, last_disturbed_ + quiet, oldest_ + kPatience});
  }
  return std::max(not_before_, due);
}

const Dying::Batch& Dying::Take() {
  being_reaped_ = std::exchange(waiting_, {});
  oldest_ = absl::InfiniteFuture();
  penalties_end_ = absl::InfiniteFuture();
  hurry_ = false;
  return being_reaped_;
}

Dying::Batch Dying::Finish(bool done) {
  Batch batch = std::exchange(being_reaped_, {});
  if (!done) {
    waiting_.merge(batch);
    oldest_ = std::min(oldest_, last_disturbed_);
    return {};
  }
  for (const auto& [ifindex, tap] : batch) Discount(tap);
  return batch;
}

}  // namespace svnet
