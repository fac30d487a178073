#include "daemon/network/reap_worker.h"

#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/network/network.h"
#include "daemon/network/network_members.h"

namespace svnet {

bool ReapWorker::ReapNext() {
  const std::optional<ReapPiece> piece = WaitForPiece();
  if (!piece.has_value()) return false;
  TapDestroyer::Result result;
  Destroy(*piece, &result);
  return true;
}

TapDestroyer::Result ReapWorker::ReapAll() {
  while (const std::optional<ReapPiece> piece = Take()) {
    TapDestroyer::Result result;
    if (!Destroy(*piece, &result)) return result;
  }
  return {};
}

std::optional<ReapPiece> ReapWorker::WaitForPiece() {
  MutexLock lock(&registry_->mutex_);
  while (!registry_->stopped_) {
    const std::optional<absl::Time> due = registry_->members_->NextReap();
    registry_->awaited_reap_ = due;
    const absl::Duration left =
        due.has_value() ? *due - registry_->parts_.clock() : absl::InfiniteDuration();
    if (left <= absl::ZeroDuration()) {
      if (std::optional<ReapPiece> piece = TakeDue()) return piece;
    } else if (due.has_value()) {
      registry_->changed_.wait_for(registry_->mutex_, absl::ToChronoNanoseconds(left));
    } else {
      registry_->changed_.wait(registry_->mutex_);
    }
  }
  return std::nullopt;
}

std::optional<ReapPiece> ReapWorker::TakeDue() {
  registry_->CatchUp();
  const std::optional<absl::Time> due = registry_->members_->NextReap();
  if (!due.has_value() || *due > registry_->parts_.clock()) return std::nullopt;
  return registry_->members_->TakeReapPiece();
}

std::optional<ReapPiece> ReapWorker::Take() {
  MutexLock lock(&registry_->mutex_);
  NetworkMembers& networks = *registry_->members_;
  for (;;) {
    registry_->CatchUp();
    if (networks.NextReap().has_value()) return networks.TakeReapPiece();
    if (!networks.IsReaping()) return std::nullopt;
    registry_->changed_.wait(registry_->mutex_);
  }
}

bool ReapWorker::Destroy(const ReapPiece& piece, TapDestroyer::Result* result) {
  // Calls go on meanwhile, and retire more.
  *result = destroyer_.Destroy(piece);
  bool done = false;
  {
    MutexLock lock(&registry_->mutex_);
    done = registry_->members_->FinishReap(piece, *result);
    registry_->changed_.notify_all();
  }
  registry_->parts_.on_reaped();
  return done;
}

}  // namespace svnet
