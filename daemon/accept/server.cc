#include "daemon/accept/server.h"

#include <sys/socket.h>

#include <algorithm>

#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"

namespace svnet {

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const Parts& parts,
                                                       const AdmissionRules& rules,
                                                       const ServerLimits& limits) {
  std::unique_ptr<Server> server(new Server());
  SVNET_ASSIGN_OR_RETURN(server->poller_, Poller::Open());
  SVNET_ASSIGN_OR_RETURN(const std::shared_ptr<WakeList> wakes, WakeList::Open());
  Server* const raw = server.get();
  server->gates_ = std::make_unique<Gates>(
      Gates::Parts{.services = {.poller = server->poller_.get(),
                                .runner = parts.runner,
                                .wakes = wakes,
                                .metrics_page = parts.metrics_page},
                   .maker = parts.maker,
                   .metrics = &parts.metrics->gates(),
                   .log = parts.log,
                   .clock = MonotonicNow,
                   .on_lost = [raw](uint64_t connection) { raw->connections_->Lost(connection); }});
  SVNET_ASSIGN_OR_RETURN(server->admission_,
                         AdmissionControl::Create(parts.log, rules, limits.calls));
  SVNET_ASSIGN_OR_RETURN(server->acceptor_,
                         Acceptor::Start(parts.listening, server->admission_.get(), parts.log));
  SVNET_ASSIGN_OR_RETURN(server->connections_,
                         CallerConnections::Create({.admission = server->admission_.get(),
                                                    .poller = server->poller_.get(),
                                                    .gates = server->gates_.get(),
                                                    .metrics = &parts.metrics->connections(),
                                                    .log = parts.log}));
  SVNET_RETURN_IF_ERROR(
      server->poller_->Add(wakes->fd(), EPOLLIN, [raw](uint32_t) { raw->gates_->OnNews(); })
          .status());
  SVNET_RETURN_IF_ERROR(server->Listen(parts));
  if (parts.taps.has_value()) {
    SVNET_RETURN_IF_ERROR(server->ServeTaps(parts, rules, limits.taps));
  }
  server->gates_->Tick();  // makes the spare gate before the first caller comes
  return server;
}

absl::Status Server::Listen(const Parts& parts) {
  SVNET_ASSIGN_OR_RETURN(wake_watch_,
                         poller_->Add(parts.wake, EPOLLIN, [this](uint32_t) { woken_ = true; }));
  return poller_->Add(parts.parent, EPOLLIN, [this](uint32_t) { parent_has_ended_ = true; })
      .status();
}

absl::Status Server::ServeTaps(const Parts& parts, const AdmissionRules& rules,
                               const ConnectionLimits& limits) {
  SVNET_ASSIGN_OR_RETURN(
      tap_admission_,
      AdmissionControl::Create(parts.log,
                               WithFewerConnections(rules, TapConnections::kMostOfOneUid), limits));
  SVNET_ASSIGN_OR_RETURN(tap_acceptor_,
                         Acceptor::Start(*parts.taps, tap_admission_.get(), parts.log));
  SVNET_ASSIGN_OR_RETURN(tap_connections_,
                         TapConnections::Create({.admission = tap_admission_.get(),
                                                 .poller = poller_.get(),
                                                 .runner = parts.runner,
                                                 .metrics = &parts.metrics->connections(),
                                                 .log = parts.log}));
  return absl::OkStatus();
}

absl::Status Server::ServeMetrics(int listening) {
  return poller_->Add(listening, EPOLLIN, [this, listening](uint32_t) { AcceptReader(listening); })
      .status();
}

absl::Status Server::Run() {
  for (woken_ = false; !woken_;) SVNET_RETURN_IF_ERROR(Turn(absl::InfiniteFuture()));
  return absl::OkStatus();
}

absl::Status Server::Turn(absl::Time deadline) {
  const absl::Time taps_due =
      tap_connections_ != nullptr ? tap_connections_->NextDue() : absl::InfiniteFuture();
  const absl::Time due = std::min({deadline, gates_->NextDue(), connections_->NextDue(), taps_due});
  SVNET_RETURN_IF_ERROR(poller_->Wait(due - MonotonicNow()));
  gates_->Tick();
  connections_->CloseOverdue();
  if (tap_connections_ != nullptr) tap_connections_->Tick();
  if (parent_has_ended_) return absl::UnavailableError("the parent of the gates has ended");
  return absl::OkStatus();
}

void Server::AcceptReader(int listening) {
  UniqueFd reader(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  // A reader that is not served now comes again: one reading of many is lost.
  if (reader.valid()) gates_->ServeMetrics(std::move(reader)).IgnoreError();
}

size_t Server::ChangeRules(const AdmissionRules& rules, const ServerLimits& limits) {
  const size_t ended = connections_->ChangeRules(rules, limits.calls);
  if (tap_connections_ == nullptr) return ended;
  return ended + tap_connections_->ChangeRules(rules, limits.taps);
}

absl::Status Server::Settle() {
  poller_->Remove(wake_watch_);  // nobody takes what there is to read
  acceptor_->Stop();
  if (tap_acceptor_ != nullptr) tap_acceptor_->Stop();
  connections_->Take();
  if (tap_connections_ != nullptr) tap_connections_->Take();
  const auto is_to_wait = [&](absl::Time now) {
    return connections_->HasConnectionSince(now - kSettleTime) ||
           (tap_connections_ != nullptr && tap_connections_->HasUnanswered());
  };
  const absl::Time end = MonotonicNow() + kSettleTime;
  for (absl::Time now = MonotonicNow(); now < end && is_to_wait(now); now = MonotonicNow()) {
    SVNET_RETURN_IF_ERROR(Turn(end));
  }
  return absl::OkStatus();
}

absl::Status Server::FinishCalls(absl::Duration most) {
  poller_->Remove(wake_watch_);
  gates_->Drain(absl::UnavailableError("svnetd is shutting down"));
  const absl::Time start = MonotonicNow();
  while (!gates_->AreDrained()) {
    const absl::Time quiet = std::max(start, gates_->last_heard()) + kPatience;
    const absl::Time end = std::min(quiet, start + most);
    if (MonotonicNow() >= end) break;
    SVNET_RETURN_IF_ERROR(Turn(end));
  }
  return absl::OkStatus();
}

}  // namespace svnet
