#include "daemon/network/dying.h"

#include <algorithm>
#include <utility>

namespace svnet {

void Dying::Add(Ifindex tap, const Tap& what, absl::Time now) {
  waiting_.insert_or_assign(tap, what);
  oldest_ = std::min(oldest_, now);
  Disturb(now);
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

std::optional<absl::Time> Dying::NextDue() const {
  if (waiting_.empty() || IsTaken()) return std::nullopt;
  if (hurry_) return std::max(not_before_, absl::UnixEpoch());
  const absl::Duration quiet = waiting_.size() < kMany ? kQuiet : kQuiet / 5;
  return std::max(not_before_, std::min(last_disturbed_ + quiet, oldest_ + kPatience));
}

const Dying::Batch& Dying::Take() {
  being_reaped_ = std::exchange(waiting_, {});
  oldest_ = absl::InfiniteFuture();
  hurry_ = false;
  return being_reaped_;
}

Dying::Batch Dying::Finish(bool done) {
  Batch batch = std::exchange(being_reaped_, {});
  if (done) return batch;
  waiting_.merge(batch);
  return {};
}

}  // namespace svnet
