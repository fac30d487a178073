#include "daemon/network/network_registry.h"

#include <set>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/network.h"
#include "daemon/network/network_members.h"
#include "daemon/network/network_upkeep.h"

namespace svnet {

NetworkRegistry::NetworkRegistry(std::unique_ptr<NetworkUpkeep> upkeep, const Parts& parts)
    : parts_(parts),
      event_fd_(upkeep->event_fd()),
      upkeep_(std::move(upkeep)),
      members_(&upkeep_->networks().members()) {}

NetworkRegistry::~NetworkRegistry() = default;

absl::StatusOr<std::unique_ptr<NetworkRegistry>> NetworkRegistry::Start(
    const std::vector<NetworkSettings>& settings, const Parts& parts) {
  SVNET_ASSIGN_OR_RETURN(std::unique_ptr<NetworkUpkeep> upkeep,
                         NetworkUpkeep::Create(settings, {.kernel = parts.kernel,
                                                          .firewall = parts.firewall,
                                                          .store = parts.store,
                                                          .foreign = parts.foreign,
                                                          .events = parts.events,
                                                          .clock = parts.clock,
                                                          .wall_clock = parts.wall_clock,
                                                          .on_health = parts.on_health}));
  SVNET_RETURN_IF_ERROR(upkeep->Begin());
  return std::unique_ptr<NetworkRegistry>(new NetworkRegistry(std::move(upkeep), parts));
}

absl::Status NetworkRegistry::Add(const std::vector<AddedNetwork>& networks) {
  MutexLock lock(&mutex_);
  SVNET_RETURN_IF_ERROR(upkeep_->networks().Add(networks));
  CatchUp();
  return absl::OkStatus();
}

void NetworkRegistry::SetClosed(const NetworkName& name, bool closed) {
  MutexLock lock(&mutex_);
  members_->Get(name).SetClosed(closed);
  CatchUp();
}

void NetworkRegistry::CatchUp() {
  upkeep_->CatchUp();
  EndTurn();
}

void NetworkRegistry::EndTurn() {
  upkeep_->Settle();
  // Wakes a thread that waits for a later time, or without one.
  const std::optional<absl::Time> next = members_->NextReap();
  const bool is_earlier =
      next.has_value() && (!awaited_reap_.has_value() || *next < *awaited_reap_);
  if (is_earlier) changed_.notify_all();
}

void NetworkRegistry::NoteForeignFirewalls(const ForeignFirewallReport& report) {
  if (report.forward_filter.has_value()) NoteForwardFilter(*report.forward_filter);
  NoteForeignConditions();
  for (const auto& [kind, text] : report.entries) {
    const bool repaired = kind == ForeignFirewallReport::Entry::Kind::kRepaired;
    parts_.events->Publish({.type = repaired ? TapEvent::Type::kRepaired : TapEvent::Type::kFailed,
                            .lease = std::nullopt,
                            .message = text});
  }
}

void NetworkRegistry::NoteForeignConditions() {
  const std::set<NetworkName> blocked = parts_.foreign->BlockedNetworks();
  MutexLock lock(&mutex_);
  if (upkeep_->NoteBlocked(blocked)) CatchUp();
}

void NetworkRegistry::NoteForwardFilter(const std::string& whose) {
  MutexLock lock(&mutex_);
  // The rules may have to be made anew for it.
  if (upkeep_->networks().NoteForwardFilter(whose)) CatchUp();
}

absl::Status NetworkRegistry::DisownRules() {
  MutexLock lock(&mutex_);
  return upkeep_->networks().DisownRules();
}

size_t NetworkRegistry::lease_count() {
  MutexLock lock(&mutex_);
  return members_->lease_count();
}

std::vector<NetworkSettings> NetworkRegistry::settings() {
  MutexLock lock(&mutex_);
  std::vector<NetworkSettings> all;
  for (const NetworkName& name : members_->Names()) all.push_back(members_->Get(name).settings());
  return all;
}

NetworkSettings NetworkRegistry::SettingsOf(const NetworkName& name) {
  MutexLock lock(&mutex_);
  return members_->Get(name).settings();
}

Ipv4Prefix NetworkRegistry::PrefixOf(const NetworkName& name) {
  MutexLock lock(&mutex_);
  return members_->Get(name).settings().prefix;
}

absl::Duration NetworkRegistry::TimeUntilIdle() const {
  return absl::FromUnixNanos(events_left_until_) - parts_.clock();
}

void NetworkRegistry::LeaveEventsToCalls(absl::Duration time) {
  events_left_until_ = absl::ToUnixNanos(parts_.clock() + time);
}

bool NetworkRegistry::HandleEvents() {
  MutexLock lock(&mutex_);
  // What it cannot do now it tries again by itself.
  CatchUp();
  upkeep_->LogConditions();
  return members_->AreHeard();
}

void NetworkRegistry::StopWaiting() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace svnet
