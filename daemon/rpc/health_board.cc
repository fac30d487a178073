#include "daemon/rpc/health_board.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "grpc/health/v1/health.pb.h"

namespace svnet {
namespace {

using Response = grpc::health::v1::HealthCheckResponse;

}  // namespace

// One reader. Closed at the latest when it goes.
class HealthWatch final : public MessageSource {
 public:
  // `component` nullopt: one that there is not.
  HealthWatch(HealthBoard* board, const Caller& caller, std::optional<size_t> component,
              std::function<void()> wake)
      : board_(board), uid_(caller.uid), component_(component), wake_(std::move(wake)) {}
  ~HealthWatch() override { Close(); }

  std::optional<absl::StatusOr<grpc::ByteBuffer>> Take() override {
    MutexLock lock(&board_->mutex_);
    const Response::ServingStatus now = StatusNow();
    if (said_ != now) {
      said_ = now;
      Response response;
      response.set_status(now);
      return absl::StatusOr<grpc::ByteBuffer>(ToBytes(response));
    }
    if (board_->end_.has_value()) return absl::StatusOr<grpc::ByteBuffer>(*board_->end_);
    return std::nullopt;
  }

  void Close() override {
    MutexLock lock(&board_->mutex_);
    std::erase(board_->watches_, this);
  }

  void Wake() const { wake_(); }
  uid_t uid() const { return uid_; }

 private:
  Response::ServingStatus StatusNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(board_->mutex_) {
    if (!component_.has_value()) return Response::SERVICE_UNKNOWN;
    return board_->IsServing(*component_) ? Response::SERVING : Response::NOT_SERVING;
  }

  HealthBoard* const board_;
  const uid_t uid_;
  const std::optional<size_t> component_;
  const std::function<void()> wake_;
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
                                                          network_.monitor};
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
  auto watch = std::make_shared<HealthWatch>(this, caller, IndexOf(component), std::move(wake));
  absl::Status refused = absl::OkStatus();
  {
    MutexLock lock(&mutex_);
    const auto of_uid =
        std::count_if(watches_.begin(), watches_.end(),
                      [&](const HealthWatch* each) { return each->uid() == caller.uid; });
    if (!caller.administrator && static_cast<size_t>(of_uid) >= kMaxOfOneUid) {
      refused = Error(Reason::kQuotaExceeded,
                      absl::StrCat("uid ", caller.uid, " watches svnetd's health ", of_uid,
                                   " times, and may not more often"));
    } else if (watches_.size() >= kMax) {
      refused = Error(Reason::kQuotaExceeded,
                      absl::StrCat(kMax, " watch svnetd's health: it takes no more"));
    } else {
      watches_.push_back(watch.get());
    }
  }
  // Not with the lock: the watch that is refused goes, and would take it.
  if (!refused.ok()) return refused;
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
