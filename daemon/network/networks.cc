#include "daemon/network/networks.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/authorizer.h"
#include "daemon/network/event_sink.h"

namespace svnet {
Networks::Networks(const std::vector<NetworkSettings>& settings, const Parts& parts)
    : parts_(parts),
      events_(parts.events),
      texts_(parts.store),
      host_(parts.foreign, parts.events),
      rules_(parts.kernel, parts.firewall) {
  for (const NetworkSettings& each : settings) Insert(each);
}

NetworkMember* Networks::Insert(const NetworkSettings& settings) {
  auto network =
      std::make_unique<Network>(settings, Network::Parts{.kernel = parts_.kernel,
                                                         .rules = &rules_,
                                                         .host = &host_,
                                                         .texts = &texts_,
                                                         .poller = parts_.poller,
                                                         .events = parts_.events,
                                                         .clock = parts_.clock,
                                                         .wall_clock = parts_.wall_clock});
  const auto [at, is_new] =
      networks_.try_emplace(settings.name, std::move(network), events_, parts_.clock);
  return &at->second;
}

void Networks::Add(const std::vector<NetworkSettings>& settings) {
  std::vector<NetworkMember*> members;
  for (const NetworkSettings& each : settings) members.push_back(Insert(each));
  Start(members);
}

absl::Status Networks::Begin() {
  SVNET_RETURN_IF_ERROR(CheckLeft());
  std::vector<NetworkMember*> members;
  for (auto& [name, member] : networks_) members.push_back(&member);
  Start(members);
  const bool one_started = std::any_of(members.begin(), members.end(),
                                       [](const NetworkMember* each) { return each->started(); });
  return one_started ? absl::OkStatus() : members.front()->status();
}

// One network that refused to start would lose its guests' rules as soon as those of the others are
// made.
absl::Status Networks::CheckLeft() const {
  const absl::StatusOr<std::vector<Link>> links = parts_.kernel->ListLinks();
  if (!links.ok()) {
    return WithReason(Reason::kBridgeSetupFailed, "cannot read the host's links", links.status());
  }
  for (const auto& [name, member] : networks_) {
    SVNET_RETURN_IF_ERROR(member.network().CheckLeft(*links));
  }
  return absl::OkStatus();
}

// The rules of all are made at once: so all leases are known, and all links, before any are.
void Networks::Start(const std::vector<NetworkMember*>& members) {
  for (NetworkMember* each : members) each->Adopt();
  for (NetworkMember* each : members) each->Prepare();
  for (NetworkMember* each : members) each->Begin();
  // All aliases are known now.
  if (AllStarted()) ReportTextsLeft(texts_.DeleteUnnamed());
}

void Networks::CatchUp(HostEvents events, std::optional<absl::Time>* next) {
  events.rules_heard = rules_.NoteChanges().ok();
  for (auto& [name, member] : networks_) {
    if (member.IsDue()) Start({&member});
    member.CatchUp(events);
    *next = Earlier(*next, member.NextDue());
  }
  if (rules_.TakeForeignChange()) host_.NoteForeignChange();
}

const absl::Status& Networks::StatusOf(const NetworkName& name) const {
  return networks_.at(name).status();
}

absl::Status Networks::StatusFor(const Caller& caller) const {
  const Authorizer authorizer(caller);
  for (const auto& [name, member] : networks_) {
    if (member.status().ok() || !authorizer.MayUse(member.network().settings())) continue;
    return member.status();
  }
  return absl::OkStatus();
}

absl::Status Networks::CheckMayUse(const Caller& caller, const NetworkName& name) const {
  const auto found = networks_.find(name);
  const bool may_use =
      found != networks_.end() && Authorizer(caller).MayUse(found->second.network().settings());
  return may_use ? absl::OkStatus() : NetworkNotFound(name);
}

absl::StatusOr<NetworkStatus> Networks::Observe(const NetworkName& name, bool* looked) {
  return networks_.at(name).Observe(looked);
}

bool Networks::AllStarted() const {
  return std::all_of(networks_.begin(), networks_.end(),
                     [](const auto& each) { return each.second.started(); });
}

void Networks::DeleteOldTexts() {
  if (texts_.size() == 0 || !AllStarted()) return;
  std::set<std::string> named;
  for (const auto& [name, member] : networks_) {
    for (const auto& [digest, count] : member.network().leases().texts()) named.insert(digest);
  }
  if (named.size() < texts_.size()) ReportTextsLeft(texts_.DeleteAllBut(named));
}

void Networks::ReportTextsLeft(const absl::Status& deleted) {
  if (deleted.ok()) return;
  events_->Publish(
      {.type = TapEvent::Type::kFailed,
       .lease = std::nullopt,
       .message = absl::StrCat("cannot delete a spec that no TAP needs (the next start tries it): ",
                               deleted.message()),
       .repaired = {}});
}

bool Networks::NoteForwardFilter(const std::string& whose) {
  if (!rules_.OpenOtherForwarding()) return false;
  host_.NoteForwardingOpened(whose);
  return true;
}

std::vector<NetworkName> Networks::Names() const {
  std::vector<NetworkName> names;
  for (const auto& [name, member] : networks_) names.push_back(name);
  return names;
}

Network* Networks::FindWith(const LeaseKey& key) const {
  for (const auto& [name, member] : networks_) {
    if (member.network().leases().Find(key) != nullptr) return &member.network();
  }
  return nullptr;
}

std::vector<Network*> Networks::Select(const std::optional<NetworkName>& name) const {
  std::vector<Network*> selected;
  for (const auto& [each, member] : networks_) {
    if (name.value_or(each) == each) selected.push_back(&member.network());
  }
  return selected;
}

std::vector<const LeaseTable*> Networks::Leases(const std::optional<NetworkName>& name) const {
  std::vector<const LeaseTable*> leases;
  for (const auto& [each, member] : networks_) {
    if (name.value_or(each) == each) leases.push_back(&member.network().leases());
  }
  return leases;
}

size_t Networks::lease_count() const {
  size_t count = 0;
  for (const auto& [name, member] : networks_) count += member.network().leases().size();
  return count;
}

std::vector<Condition> Networks::FindConditions(std::set<NetworkName>* unread) {
  std::vector<Condition> all;
  for (const auto& [name, member] : networks_) {
    const absl::StatusOr<std::vector<Condition>> conditions = member.FindConditions();
    if (!conditions.ok()) unread->insert(name);
    if (conditions.ok()) all.insert(all.end(), conditions->begin(), conditions->end());
  }
  return all;
}

bool Networks::AreHeard() const {
  return std::all_of(networks_.begin(), networks_.end(),
                     [](const auto& each) { return each.second.IsHeard(); });
}

std::optional<absl::Time> Networks::NextReap() const {
  std::optional<absl::Time> next;
  for (const auto& [name, member] : networks_) next = Earlier(next, member.network().NextReap());
  return next;
}

bool Networks::IsReaping() const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [](const auto& each) { return each.second.network().IsReaping(); });
}

ReapPiece Networks::TakeReapPiece() {
  Network* first = nullptr;
  for (const auto& [name, member] : networks_) {
    const std::optional<absl::Time> due = member.network().NextReap();
    if (!due.has_value()) continue;
    if (first == nullptr || *due < *first->NextReap()) first = &member.network();
  }
  ReapPiece piece = first->TakeReapPiece();
  piece.network = first->settings().name;
  return piece;
}

bool Networks::FinishReap(const ReapPiece& piece, const TapDestroyer::Result& result) {
  return Get(piece.network).FinishReap(piece, result);
}

Holdings Networks::HoldingsOf(uid_t owner) const {
  Holdings holdings;
  for (const auto& [name, member] : networks_) holdings += member.network().HoldingsOf(owner);
  return holdings;
}

HealthOfNetworks Networks::Health() const {
  HealthOfNetworks health;
  for (const auto& [name, member] : networks_) health.emplace(name, member.Health());
  return health;
}

}  // namespace svnet
