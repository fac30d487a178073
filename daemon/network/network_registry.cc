#include "daemon/network/network_registry.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/names.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/network.h"
#include "daemon/network/reconciler.h"
#include "daemon/network/spec_texts.h"

namespace svnet {
namespace {

// The timer's tag is 0; the tag of a lease's process is the ifindex of its TAP.
constexpr uint64_t kChangesTag = uint64_t{1} << 32;

// The earlier of two times, of which each may be none.
std::optional<absl::Time> Earlier(std::optional<absl::Time> a, std::optional<absl::Time> b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() ? a : b;
  return std::min(*a, *b);
}

}  // namespace

NetworkRegistry::NetworkRegistry(const NetworkSettings& settings, const Parts& parts,
                                 EventPoller poller)
    : settings_(settings),
      parts_(parts),
      destroyer_(DeriveLinkGroup(settings.bridge), parts.reaper),
      kernel_(parts.kernel),
      poller_(std::move(poller)),
      poller_fd_(poller_.fd()),
      texts_(std::make_unique<SpecTexts>(parts.store)) {}

NetworkRegistry::~NetworkRegistry() = default;

absl::StatusOr<std::unique_ptr<NetworkRegistry>> NetworkRegistry::Start(
    const NetworkSettings& settings, const Parts& parts) {
  SVNET_ASSIGN_OR_RETURN(EventPoller poller, EventPoller::Create());
  SVNET_RETURN_IF_ERROR(poller.Watch(parts.kernel->changes_fd(), kChangesTag));
  SVNET_RETURN_IF_ERROR(poller.Watch(parts.firewall->changes_fd(), kChangesTag));
  std::unique_ptr<NetworkRegistry> registry(
      new NetworkRegistry(settings, parts, std::move(poller)));
  SVNET_RETURN_IF_ERROR(registry->Begin());
  return registry;
}

absl::Status NetworkRegistry::Begin() {
  MutexLock lock(&mutex_);
  networks_.emplace(NetworkName(), std::make_unique<Network>(
                                       settings_, Network::Parts{.kernel = parts_.kernel,
                                                                 .firewall = parts_.firewall,
                                                                 .foreign = parts_.foreign,
                                                                 .texts = texts_.get(),
                                                                 .poller = &poller_,
                                                                 .events = parts_.events,
                                                                 .clock = parts_.clock,
                                                                 .wall_clock = parts_.wall_clock}));
  absl::Status begun = network().Begin();
  if (begun.ok()) DeleteUnnamedTexts();
  if (begun.ok()) begun = CatchUp();
  ReportHealth();
  SVNET_RETURN_IF_ERROR(begun);
  return absl::OkStatus();
}

absl::Status NetworkRegistry::CatchUp() {
  std::vector<uint64_t> ended = poller_.PollNow();
  const HostEvents events = {.changes = kernel_->TakeChanges(), .ended = std::move(ended)};
  absl::Status caught_up = absl::OkStatus();
  std::optional<absl::Time> next;
  for (const auto& [name, network] : networks_) {
    caught_up.Update(network->CatchUp(events));
    next = Earlier(next, network->NextDue());
  }
  poller_.ArmTimer(next);
  EndTurn();
  return caught_up;
}

void NetworkRegistry::DeleteUnnamedTexts() { ReportTextsLeft(texts_->DeleteUnnamed()); }

void NetworkRegistry::DeleteOldTexts() {
  if (texts_->size() == 0) return;
  std::set<std::string> named;
  for (const auto& [name, network] : networks_) {
    for (const auto& [digest, count] : network->leases().texts()) named.insert(digest);
  }
  if (named.size() < texts_->size()) ReportTextsLeft(texts_->DeleteAllBut(named));
}

void NetworkRegistry::ReportTextsLeft(const absl::Status& deleted) {
  if (deleted.ok()) return;
  parts_.events->Publish(
      {.type = TapEvent::Type::kFailed,
       .lease = std::nullopt,
       .message = absl::StrCat("cannot delete a spec that no TAP needs (the next start tries it): ",
                               deleted.message()),
       .repaired = {}});
}

void NetworkRegistry::EndTurn() {
  DeleteOldTexts();
  // Wakes a thread that waits for a later time, or without one.
  const std::optional<absl::Time> next = NextReap();
  const bool is_earlier =
      next.has_value() && (!awaited_reap_.has_value() || *next < *awaited_reap_);
  if (is_earlier) changed_.notify_all();
  ReportHealth();
}

void NetworkRegistry::ReportHealth() {
  NetworkHealth health;
  for (const auto& [name, network] : networks_) {
    const NetworkHealth each = network->Health();
    health.network &= each.network;
    health.firewall &= each.firewall;
    health.monitor &= each.monitor;
  }
  if (reported_ == health) return;
  reported_ = health;
  parts_.on_health(health);
}

void NetworkRegistry::NoteForeignFirewalls(const ForeignFirewallReport& report) {
  if (report.forward_filter.has_value()) NoteForwardFilter(*report.forward_filter);
  for (const auto& [kind, text] : report.entries) {
    const bool repaired = kind == ForeignFirewallReport::Entry::Kind::kRepaired;
    parts_.events->Publish({.type = repaired ? TapEvent::Type::kRepaired : TapEvent::Type::kFailed,
                            .lease = std::nullopt,
                            .message = text});
  }
}

void NetworkRegistry::NoteForwardFilter(const std::string& whose) {
  MutexLock lock(&mutex_);
  // The rules may have to be made anew for it.
  if (network().NoteForwardFilter(whose)) CatchUp().IgnoreError();
}

absl::Status NetworkRegistry::DisownRules() {
  MutexLock lock(&mutex_);
  for (const auto& [name, network] : networks_) SVNET_RETURN_IF_ERROR(network->DisownRules());
  return absl::OkStatus();
}

size_t NetworkRegistry::lease_count() {
  MutexLock lock(&mutex_);
  return network().leases().size();
}

std::vector<NetworkName> NetworkRegistry::names() {
  MutexLock lock(&mutex_);
  std::vector<NetworkName> names;
  for (const auto& [name, network] : networks_) names.push_back(name);
  return names;
}

absl::Duration NetworkRegistry::TimeUntilIdle() const {
  return absl::FromUnixNanos(last_call_) + kIdleAfter - parts_.clock();
}

bool NetworkRegistry::HandleEvents() {
  MutexLock lock(&mutex_);
  // What it cannot do now it tries again by itself.
  CatchUp().IgnoreError();
  return network().monitor_ok();
}

std::optional<absl::Time> NetworkRegistry::NextReap() { return network().NextReap(); }

bool NetworkRegistry::WaitForRetired() {
  MutexLock lock(&mutex_);
  while (!stopped_) {
    awaited_reap_ = NextReap();
    const absl::Duration left =
        awaited_reap_.has_value() ? *awaited_reap_ - parts_.clock() : absl::InfiniteDuration();
    if (left <= absl::ZeroDuration()) return true;
    if (awaited_reap_.has_value()) {
      changed_.wait_for(mutex_, absl::ToChronoNanoseconds(left));
    } else {
      changed_.wait(mutex_);
    }
  }
  return false;
}

void NetworkRegistry::StopWaiting() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.notify_all();
}

void NetworkRegistry::Reap() {
  ReapBatch batch;
  {
    MutexLock lock(&mutex_);
    if (!NextReap().has_value()) return;
    batch = network().TakeReapBatch();
  }
  const TapDestroyer::Result result = destroyer_.Destroy(batch);
  MutexLock lock(&mutex_);
  network().FinishReap(result);
  changed_.notify_all();
}

}  // namespace svnet
