#include "daemon/network/reap_queue.h"

#include <algorithm>
#include <utility>

namespace svnet {

void ReapQueue::Add(Ifindex tap, const RetiredTap& what, absl::Time now) {
  if (const auto before = waiting_.find(tap); before != waiting_.end()) Discount(before->second);
  waiting_.insert_or_assign(tap, what);
  Count(what);
  if (what.counts_for.has_value()) {
    penalties_end_ = std::min(penalties_end_, now + kPenalty);
    return;
  }
  oldest_ = std::min(oldest_, now);
  NoteActivity(now);
}

void ReapQueue::Count(const RetiredTap& what) {
  if (what.address.has_value()) ++addresses_[*what.address];
  if (!what.counts_for.has_value()) return;
  Holdings& holdings = holdings_[*what.counts_for];
  ++holdings.taps;
  holdings.queues += what.queues;
}

void ReapQueue::Discount(const RetiredTap& what) {
  if (what.address.has_value() && --addresses_[*what.address] == 0) addresses_.erase(*what.address);
  if (!what.counts_for.has_value()) return;
  const auto holdings = holdings_.find(*what.counts_for);
  holdings->second.queues -= what.queues;
  if (--holdings->second.taps == 0) holdings_.erase(holdings);
}

void ReapQueue::NoteGone(Ifindex tap) {
  for (ReapBatch* batch : {&waiting_, &being_reaped_}) {
    if (const auto found = batch->find(tap); found != batch->end()) found->second.gone = true;
  }
}

void ReapQueue::NoteAllGone() {
  for (ReapBatch* batch : {&waiting_, &being_reaped_}) {
    for (auto& [ifindex, tap] : *batch) tap.gone = true;
  }
}

bool ReapQueue::Contains(Ifindex tap) const {
  return waiting_.contains(tap) || being_reaped_.contains(tap);
}

size_t ReapQueue::addresses() const {
  const auto count = [](const ReapBatch& batch) {
    return std::count_if(batch.begin(), batch.end(),
                         [](const auto& each) { return each.second.address.has_value(); });
  };
  return count(waiting_) + count(being_reaped_);
}

Holdings ReapQueue::HoldingsOf(uid_t owner) const {
  const auto holdings = holdings_.find(owner);
  return holdings == holdings_.end() ? Holdings() : holdings->second;
}

std::optional<absl::Time> ReapQueue::NextDue() const {
  if (waiting_.empty() || IsTaken()) return std::nullopt;
  if (flush_now_) return std::max(not_before_, absl::UnixEpoch());
  absl::Time due = penalties_end_;
  if (oldest_ != absl::InfiniteFuture()) {
    const absl::Duration quiet = waiting_.size() < kLargeBatch ? kQuietPeriod : kQuietPeriod / 5;
    due = std::min({due, last_activity_ + quiet, oldest_ + kMaxDelay});
  }
  return std::max(not_before_, due);
}

const ReapBatch& ReapQueue::Take() {
  being_reaped_ = std::exchange(waiting_, {});
  oldest_ = absl::InfiniteFuture();
  penalties_end_ = absl::InfiniteFuture();
  flush_now_ = false;
  return being_reaped_;
}

ReapBatch ReapQueue::Finish(bool done) {
  ReapBatch batch = std::exchange(being_reaped_, {});
  if (!done) {
    for (const auto& [ifindex, tap] : batch) {
      // The number was reused by a TAP that waits by now.
      if (!waiting_.emplace(ifindex, tap).second) Discount(tap);
    }
    oldest_ = std::min(oldest_, last_activity_);
    return {};
  }
  for (const auto& [ifindex, tap] : batch) Discount(tap);
  return batch;
}

}  // namespace svnet
