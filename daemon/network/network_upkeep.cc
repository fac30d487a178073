#include "daemon/network/network_upkeep.h"

#include <cstdint>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/host_events.h"
#include "daemon/network/network_members.h"

namespace svnet {
namespace {

// The timer's tag is 0; the tag of a lease's process is the ifindex of its TAP.
constexpr uint64_t kChangesTag = uint64_t{1} << 32;

}  // namespace

NetworkUpkeep::NetworkUpkeep(const std::vector<NetworkSettings>& settings, const Parts& parts,
                             EventPoller poller)
    : parts_(parts),
      poller_(std::move(poller)),
      networks_(settings, Networks::Parts{.kernel = parts.kernel,
                                          .firewall = parts.firewall,
                                          .store = parts.store,
                                          .foreign = parts.foreign,
                                          .poller = &poller_,
                                          .events = parts.events,
                                          .clock = parts.clock,
                                          .wall_clock = parts.wall_clock}),
      condition_log_(parts.events) {}

absl::StatusOr<std::unique_ptr<NetworkUpkeep>> NetworkUpkeep::Create(
    const std::vector<NetworkSettings>& settings, const Parts& parts) {
  SVNET_ASSIGN_OR_RETURN(EventPoller poller, EventPoller::Create());
  SVNET_RETURN_IF_ERROR(poller.Watch(parts.kernel->changes_fd(), kChangesTag));
  SVNET_RETURN_IF_ERROR(poller.Watch(parts.firewall->changes_fd(), kChangesTag));
  return std::unique_ptr<NetworkUpkeep>(new NetworkUpkeep(settings, parts, std::move(poller)));
}

absl::Status NetworkUpkeep::Begin() {
  absl::Status begun = networks_.Begin();
  if (begun.ok()) {
    CatchUp();
    Settle();
  } else {
    ReportHealth();
  }
  const NetworkMembers& members = networks_.members();
  if (begun.ok() && members.Names().size() == 1) begun = members.StatusOf(NetworkName());
  return begun;
}

void NetworkUpkeep::CatchUp() {
  std::vector<uint64_t> ended = poller_.PollNow();
  due_.reset();
  networks_.CatchUp({.changes = parts_.kernel->TakeChanges(), .ended = std::move(ended)}, &due_);
  LogConditionsSoon();
}

void NetworkUpkeep::Settle() {
  networks_.DeleteOldTexts();
  ReportHealth();
}

void NetworkUpkeep::ReportHealth() {
  HealthOfNetworks health = networks_.members().Health();
  for (auto& [name, each] : health) each.firewall &= !blocked_by_others_.contains(name);
  if (reported_ == health) return;
  reported_ = health;
  parts_.on_health(health);
}

bool NetworkUpkeep::NoteBlocked(const std::set<NetworkName>& blocked) {
  LogConditionsSoon();
  return std::exchange(blocked_by_others_, blocked) != blocked;
}

void NetworkUpkeep::LogConditionsSoon() {
  condition_log_.LookSoon(parts_.clock());
  ArmTimer();
}

void NetworkUpkeep::ArmTimer() { poller_.ArmTimer(Earlier(due_, condition_log_.due())); }

void NetworkUpkeep::LogConditions() {
  if (!condition_log_.TakeDue(parts_.clock())) return;
  ArmTimer();
  std::set<NetworkName> unread;
  std::vector<Condition> conditions = networks_.members().FindConditions(&unread);
  for (Condition& each : parts_.foreign->KnownConditions()) conditions.push_back(std::move(each));
  condition_log_.Note(conditions, unread);
}

}  // namespace svnet
