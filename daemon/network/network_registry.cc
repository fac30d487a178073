#include "daemon/network/network_registry.h"

#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/host_events.h"
#include "daemon/network/network.h"
#include "daemon/network/network_members.h"
#include "daemon/network/networks.h"

namespace svnet {
namespace {

// The timer's tag is 0; the tag of a lease's process is the ifindex of its TAP.
constexpr uint64_t kChangesTag = uint64_t{1} << 32;

}  // namespace

NetworkRegistry::NetworkRegistry(const std::vector<NetworkSettings>& settings, const Parts& parts,
                                 EventPoller poller)
    : parts_(parts),
      kernel_(parts.kernel),
      poller_(std::move(poller)),
      poller_fd_(poller_.fd()),
      networks_(
          std::make_unique<Networks>(settings, Networks::Parts{.kernel = parts.kernel,
                                                               .firewall = parts.firewall,
                                                               .store = parts.store,
                                                               .foreign = parts.foreign,
                                                               .poller = &poller_,
                                                               .events = parts.events,
                                                               .clock = parts.clock,
                                                               .wall_clock = parts.wall_clock})),
      members_(&networks_->members()),
      condition_log_(parts.events) {}

NetworkRegistry::~NetworkRegistry() = default;

absl::StatusOr<std::unique_ptr<NetworkRegistry>> NetworkRegistry::Start(
    const std::vector<NetworkSettings>& settings, const Parts& parts) {
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
  absl::Status begun = networks_->Begin();
  if (begun.ok()) CatchUp();
  ReportHealth();
  // A network that is alone has started if it has caught up, too.
  if (begun.ok() && members_->Names().size() == 1) begun = members_->StatusOf(NetworkName());
  return begun;
}

absl::Status NetworkRegistry::Add(const std::vector<AddedNetwork>& networks) {
  MutexLock lock(&mutex_);
  std::vector<Ipv4Prefix> prefixes;
  for (const NetworkName& name : members_->Names()) {
    prefixes.push_back(members_->Get(name).settings().prefix);
  }
  std::vector<NetworkSettings> settings;
  for (const AddedNetwork& each : networks) {
    prefixes.push_back(each.settings.prefix);
    settings.push_back(each.settings);
  }
  SVNET_RETURN_IF_ERROR(kernel_->WatchRoutesOf(prefixes));
  for (const AddedNetwork& each : networks) {
    parts_.firewall->AddNetwork(each.rules);
    parts_.foreign->AddNetwork(each.guests);
  }
  networks_->Add(settings);
  CatchUp();
  return absl::OkStatus();
}

void NetworkRegistry::SetClosed(const NetworkName& name, bool closed) {
  MutexLock lock(&mutex_);
  members_->Get(name).SetClosed(closed);
  CatchUp();
}

void NetworkRegistry::CatchUp() {
  std::vector<uint64_t> ended = poller_.PollNow();
  due_.reset();
  networks_->CatchUp({.changes = kernel_->TakeChanges(), .ended = std::move(ended)}, &due_);
  NoteConditionsSoon();
  EndTurn();
}

void NetworkRegistry::NoteConditionsSoon() {
  condition_log_.LookSoon(parts_.clock());
  poller_.ArmTimer(Earlier(due_, condition_log_.due()));
}

void NetworkRegistry::NoteConditions() {
  if (!condition_log_.TakeDue(parts_.clock())) return;
  poller_.ArmTimer(Earlier(due_, condition_log_.due()));
  std::set<NetworkName> unread;
  std::vector<Condition> conditions = members_->FindConditions(&unread);
  for (Condition& each : parts_.foreign->KnownConditions()) conditions.push_back(std::move(each));
  condition_log_.Note(conditions, unread);
}

void NetworkRegistry::EndTurn() {
  networks_->DeleteOldTexts();
  // Wakes a thread that waits for a later time, or without one.
  const std::optional<absl::Time> next = NextReap();
  const bool is_earlier =
      next.has_value() && (!awaited_reap_.has_value() || *next < *awaited_reap_);
  if (is_earlier) changed_.notify_all();
  ReportHealth();
}

void NetworkRegistry::ReportHealth() {
  HealthOfNetworks health = members_->Health();
  for (auto& [name, each] : health) each.firewall &= !blocked_by_others_.contains(name);
  if (reported_ == health) return;
  reported_ = health;
  parts_.on_health(health);
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
  std::set<NetworkName> blocked = parts_.foreign->BlockedNetworks();
  MutexLock lock(&mutex_);
  NoteConditionsSoon();
  if (blocked_by_others_ == blocked) return;
  blocked_by_others_ = std::move(blocked);
  CatchUp();
}

void NetworkRegistry::NoteForwardFilter(const std::string& whose) {
  MutexLock lock(&mutex_);
  // The rules may have to be made anew for it.
  if (networks_->NoteForwardFilter(whose)) CatchUp();
}

absl::Status NetworkRegistry::DisownRules() {
  MutexLock lock(&mutex_);
  return networks_->DisownRules();
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
  return absl::FromUnixNanos(last_call_) + kIdleAfter - parts_.clock();
}

bool NetworkRegistry::HandleEvents() {
  MutexLock lock(&mutex_);
  // What it cannot do now it tries again by itself.
  CatchUp();
  NoteConditions();
  return members_->AreHeard();
}

std::optional<absl::Time> NetworkRegistry::NextReap() { return members_->NextReap(); }

void NetworkRegistry::StopWaiting() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace svnet
