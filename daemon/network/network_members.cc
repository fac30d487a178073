#include "daemon/network/network_members.h"

#include <algorithm>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/network/authorizer.h"

namespace svnet {

NetworkMember* NetworkMembers::Insert(std::unique_ptr<Network> network, EventSink* events,
                                      const Clock& clock) {
  const NetworkName name = network->settings().name;
  return &members_.try_emplace(name, std::move(network), events, clock).first->second;
}

std::vector<NetworkMember*> NetworkMembers::All() {
  std::vector<NetworkMember*> all;
  for (auto& [name, member] : members_) all.push_back(&member);
  return all;
}

const absl::Status& NetworkMembers::StatusOf(const NetworkName& name) const {
  return members_.at(name).status();
}

absl::Status NetworkMembers::StatusFor(const Caller& caller) const {
  const Authorizer authorizer(caller);
  for (const auto& [name, member] : members_) {
    if (member.status().ok() || !authorizer.MayUse(member.network().settings())) continue;
    return member.status();
  }
  return absl::OkStatus();
}

absl::Status NetworkMembers::CheckMayUse(const Caller& caller, const NetworkName& name) const {
  const auto found = members_.find(name);
  const bool may_use =
      found != members_.end() && Authorizer(caller).MayUse(found->second.network().settings());
  return may_use ? absl::OkStatus() : NetworkNotFound(name);
}

absl::StatusOr<NetworkStatus> NetworkMembers::Observe(const NetworkName& name, bool* looked) {
  return members_.at(name).Observe(looked);
}

std::vector<NetworkName> NetworkMembers::Names() const {
  std::vector<NetworkName> names;
  for (const auto& [name, member] : members_) names.push_back(name);
  return names;
}

Network* NetworkMembers::FindWith(const LeaseKey& key) const {
  for (const auto& [name, member] : members_) {
    if (member.network().leases().Find(key) != nullptr) return &member.network();
  }
  return nullptr;
}

std::vector<Network*> NetworkMembers::Select(const std::optional<NetworkName>& name) const {
  std::vector<Network*> selected;
  for (const auto& [each, member] : members_) {
    if (name.value_or(each) == each) selected.push_back(&member.network());
  }
  return selected;
}

std::vector<const LeaseTable*> NetworkMembers::Leases(
    const std::optional<NetworkName>& name) const {
  std::vector<const LeaseTable*> leases;
  for (const auto& [each, member] : members_) {
    if (name.value_or(each) == each) leases.push_back(&member.network().leases());
  }
  return leases;
}

size_t NetworkMembers::lease_count() const {
  size_t count = 0;
  for (const auto& [name, member] : members_) count += member.network().leases().size();
  return count;
}

std::vector<Condition> NetworkMembers::FindConditions(std::set<NetworkName>* unread) {
  std::vector<Condition> all;
  for (const auto& [name, member] : members_) {
    const absl::StatusOr<std::vector<Condition>> conditions = member.FindConditions();
    if (!conditions.ok()) unread->insert(name);
    if (conditions.ok()) all.insert(all.end(), conditions->begin(), conditions->end());
  }
  return all;
}

bool NetworkMembers::AreHeard() const {
  return std::all_of(members_.begin(), members_.end(),
                     [](const auto& each) { return each.second.IsHeard(); });
}

std::optional<absl::Time> NetworkMembers::NextReap() const {
  std::optional<absl::Time> next;
  for (const auto& [name, member] : members_) next = Earlier(next, member.network().NextReap());
  return next;
}

bool NetworkMembers::IsReaping() const {
  return std::any_of(members_.begin(), members_.end(),
                     [](const auto& each) { return each.second.network().IsReaping(); });
}

ReapPiece NetworkMembers::TakeReapPiece() {
  Network* first = nullptr;
  for (const auto& [name, member] : members_) {
    const std::optional<absl::Time> due = member.network().NextReap();
    if (!due.has_value()) continue;
    if (first == nullptr || *due < *first->NextReap()) first = &member.network();
  }
  ReapPiece piece = first->TakeReapPiece();
  piece.network = first->settings().name;
  return piece;
}

bool NetworkMembers::FinishReap(const ReapPiece& piece, const TapDestroyer::Result& result) {
  return Get(piece.network).FinishReap(piece, result);
}

Holdings NetworkMembers::HoldingsOf(uid_t owner) const {
  Holdings holdings;
  for (const auto& [name, member] : members_) holdings += member.network().HoldingsOf(owner);
  return holdings;
}

HealthOfNetworks NetworkMembers::Health() const {
  HealthOfNetworks health;
  for (const auto& [name, member] : members_) health.emplace(name, member.Health());
  return health;
}

bool NetworkMembers::AllStarted() const {
  return std::all_of(members_.begin(), members_.end(),
                     [](const auto& each) { return each.second.started(); });
}

}  // namespace svnet
