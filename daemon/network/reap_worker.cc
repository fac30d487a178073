#include "daemon/network/reap_worker.h"

#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/network/network.h"
#include "daemon/network/networks.h"

namespace svnet {

bool ReapWorker::ReapNext() {
  const std::optional<ReapPiece> piece = WaitForPiece();
  if (!piece.has_value()) return false;
  Destroy(*piece);
  return true;
}

void ReapWorker::ReapAll() {
  while (const std::optional<ReapPiece> piece = Take()) {
    if (!Destroy(*piece)) return;
  }
}

std::optional<ReapPiece> ReapWorker::WaitForPiece() {
  MutexLock lock(&registry_->mutex_);
  while (!registry_->stopped_) {
    const std::optional<absl::Time> due = registry_->NextReap();
    registry_->awaited_reap_ = due;
    const absl::Duration left =
        due.has_value() ? *due - registry_->parts_.clock() : absl::InfiniteDuration();
    if (left <= absl::ZeroDuration()) return registry_->networks_->only().TakeReapPiece();
    if (due.has_value()) {
      registry_->changed_.wait_for(registry_->mutex_, absl::ToChronoNanoseconds(left));
    } else {
      registry_->changed_.wait(registry_->mutex_);
    }
  }
  return std::nullopt;
}

std::optional<ReapPiece> ReapWorker::Take() {
  MutexLock lock(&registry_->mutex_);
  if (!registry_->NextReap().has_value()) return std::nullopt;
  return registry_->networks_->only().TakeReapPiece();
}

bool ReapWorker::Destroy(const ReapPiece& piece) {
  // Calls go on meanwhile, and retire more.
  const TapDestroyer::Result result = destroyer_.Destroy(piece);
  MutexLock lock(&registry_->mutex_);
  registry_->networks_->only().FinishReap(piece, result);
  registry_->changed_.notify_all();
  return result.destroyed.ok() && result.flows_forgotten.ok();
}

}  // namespace svnet
