#include "daemon/rpc/health_board.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/status_macros.h"
#include "grpc/health/v1/health.pb.h"

namespace svnet {
namespace {

using Response = grpc::health::v1::HealthCheckResponse;

}  // namespace

// One reader. Closed at the latest when it goes.
class HealthWatch final : public MessageSource {
 public:
  HealthWatch(HealthBoard* board, Quota::Place place, absl::string_view component,
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
    const std::optional<bool> serves = board_->Find(component_);
    if (!serves.has_value()) return Response::SERVICE_UNKNOWN;
    return *serves ? Response::SERVING : Response::NOT_SERVING;
  }

  HealthBoard* const board_;
  const std::string component_;
  const std::function<void()> wake_;
  Quota::Place place_ ABSL_GUARDED_BY(board_->mutex_);
  std::optional<Response::ServingStatus> said_ ABSL_GUARDED_BY(board_->mutex_);
};

std::optional<bool> HealthBoard::Find(absl::string_view component) const {
  NetworkHealth all;
  for (const auto& [name, health] : networks_) all &= health;
  if (component.empty()) return !stopped_ && all == NetworkHealth();
  if (component == "svnet.v1.NetworkService") return !stopped_;
  if (component == "network") return !stopped_ && all.network;
  if (component == "firewall") return !stopped_ && all.firewall;
  if (component == "monitor") return !stopped_ && all.monitor;
  if (!absl::ConsumePrefix(&component, "network/")) return std::nullopt;
  for (const auto& [name, health] : networks_) {
    if (name.text() == component) return !stopped_ && health.network && health.firewall;
  }
  return std::nullopt;
}

std::optional<bool> HealthBoard::IsServing(absl::string_view component) {
  MutexLock lock(&mutex_);
  return Find(component);
}

std::vector<std::string> HealthBoard::Components() {
  std::vector<std::string> components = {"", "svnet.v1.NetworkService", "network", "firewall",
                                         "monitor"};
  MutexLock lock(&mutex_);
  for (const auto& [name, health] : networks_) {
    components.push_back(absl::StrCat("network/", name.text()));
  }
  return components;
}

void HealthBoard::SetNetworks(const HealthOfNetworks& health) {
  MutexLock lock(&mutex_);
  networks_ = health;
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
  auto watch = std::make_shared<HealthWatch>(this, std::move(place), component, std::move(wake));
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
