#include "daemon/network/reap_worker.h"

#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/lease/names.h"
#include "daemon/network/network.h"
#include "daemon/network/networks.h"

namespace svnet {

ReapWorker::ReapWorker(NetworkRegistry* registry, Reaper* reaper)
    : registry_(registry), destroyer_(DeriveLinkGroup(registry->settings().bridge), reaper) {}

bool ReapWorker::ReapNext() {
  if (!WaitUntilDue()) return false;
  ReapAll();
  return true;
}

void ReapWorker::ReapAll() {
  if (const std::optional<ReapBatch> batch = Take()) Destroy(*batch);
}

bool ReapWorker::WaitUntilDue() {
  MutexLock lock(&registry_->mutex_);
  while (!registry_->stopped_) {
    const std::optional<absl::Time> due = registry_->NextReap();
    registry_->awaited_reap_ = due;
    const absl::Duration left =
        due.has_value() ? *due - registry_->parts_.clock() : absl::InfiniteDuration();
    if (left <= absl::ZeroDuration()) return true;
    if (due.has_value()) {
      registry_->changed_.wait_for(registry_->mutex_, absl::ToChronoNanoseconds(left));
    } else {
      registry_->changed_.wait(registry_->mutex_);
    }
  }
  return false;
}

std::optional<ReapBatch> ReapWorker::Take() {
  MutexLock lock(&registry_->mutex_);
  if (!registry_->NextReap().has_value()) return std::nullopt;
  return registry_->networks_->only().TakeReapBatch();
}

void ReapWorker::Destroy(const ReapBatch& batch) {
  // Calls go on meanwhile, and retire more.
  const auto is_retired = [this](Ifindex tap) {
    MutexLock lock(&registry_->mutex_);
    return registry_->networks_->only().IsRetired(tap);
  };
  const TapDestroyer::Result result = destroyer_.Destroy(batch, is_retired);
  MutexLock lock(&registry_->mutex_);
  registry_->networks_->only().FinishReap(result);
  registry_->changed_.notify_all();
}

}  // namespace svnet
