#include "daemon/rpc/health_board.h"

#include <algorithm>

#include "daemon/base/status_macros.h"
#include "grpc/health/v1/health.pb.h"

namespace svnet {
namespace {

using Response = grpc::health::v1::HealthCheckResponse;

}  // namespace

// One reader. Closed at the latest when it goes.
class HealthWatch final : public MessageSource {
 public:
  // `component` nullopt: one that there is not.
  HealthWatch(HealthBoard* board, Quota::Place place, std::optional<size_t> component,
              std::function<void()> wake)
      : board_(board), component_(component), wake_(std::move(wake)), place_(std::move(place)) {}
  ~HealthWatch() override { Close(); }

  std::optional<absl::StatusOr<std::string>> Take() override {
    MutexLock lock(&board_->mutex_);
    const Response::ServingStatus now = StatusNow();
    if (said_ != now) {
      said_ = now;
      Response response;
      response.set_status(now);
      return absl::StatusOr<std::string>(response.SerializeAsString());
    }
    if (board_->end_.has_value()) return absl::StatusOr<std::string>(*board_->end_);
    return std::nullopt;
  }

  void Close() override {
    MutexLock lock(&board_->mutex_);
    board_->watches_.erase(this);
    place_ = Quota::Place();
  }

  void Wake() const { wake_(); }

 private:
  Response::ServingStatus StatusNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(board_->mutex_) {
    if (!component_.has_value()) return Response::SERVICE_UNKNOWN;
    return board_->IsServing(*component_) ? Response::SERVING : Response::NOT_SERVING;
  }

  HealthBoard* const board_;
  const std::optional<size_t> component_;
  const std::function<void()> wake_;
  Quota::Place place_ ABSL_GUARDED_BY(board_->mutex_);
  std::optional<Response::ServingStatus> said_ ABSL_GUARDED_BY(board_->mutex_);
};

std::optional<size_t> HealthBoard::IndexOf(absl::string_view component) {
  const auto found = std::find(kComponents.begin(), kComponents.end(), component);
  if (found == kComponents.end()) return std::nullopt;
  return found - kComponents.begin();
}

bool HealthBoard::IsServing(size_t component) const {
  if (stopped_) return false;
  const std::array<bool, kComponents.size() - 1> parts = {true, network_.network, network_.firewall,
                                                          network_.monitor,
                                                          network_.network && network_.firewall};
  if (component > 0) return parts[component - 1];
  return std::all_of(parts.begin(), parts.end(), [](bool serves) { return serves; });
}

std::optional<bool> HealthBoard::IsServing(absl::string_view component) {
  const std::optional<size_t> index = IndexOf(component);
  if (!index.has_value()) return std::nullopt;
  MutexLock lock(&mutex_);
  return IsServing(*index);
}

void HealthBoard::SetNetwork(const NetworkHealth& health) {
  MutexLock lock(&mutex_);
  network_ = health;
  WakeAll();
}

void HealthBoard::StopServing() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  WakeAll();
}

absl::StatusOr<std::shared_ptr<MessageSource>> HealthBoard::Watch(const Caller& caller,
                                                                  absl::string_view component,
                                                                  std::function<void()> wake) {
  SVNET_ASSIGN_OR_RETURN(Quota::Place place, quota_.Enter(caller.uid, caller.administrator));
  auto watch =
      std::make_shared<HealthWatch>(this, std::move(place), IndexOf(component), std::move(wake));
  MutexLock lock(&mutex_);
  watches_.insert(watch.get());
  return watch;
}

void HealthBoard::EndWatches(const absl::Status& why) {
  MutexLock lock(&mutex_);
  end_ = why;
  WakeAll();
}

void HealthBoard::WakeAll() {
  for (const HealthWatch* watch : watches_) watch->Wake();
}

}  // namespace svnet
