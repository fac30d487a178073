#include "daemon/network/networks.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/event_sink.h"

namespace svnet {

Networks::Networks(const std::vector<NetworkSettings>& settings, const Parts& parts)
    : events_(parts.events),
      texts_(parts.store),
      host_(parts.foreign, parts.events),
      rules_(parts.kernel, parts.firewall) {
  const Network::Parts given = {.kernel = parts.kernel,
                                .rules = &rules_,
                                .host = &host_,
                                .texts = &texts_,
                                .poller = parts.poller,
                                .events = parts.events,
                                .clock = parts.clock,
                                .wall_clock = parts.wall_clock};
  for (const NetworkSettings& each : settings) {
    networks_.emplace(each.name, std::make_unique<Network>(each, given));
  }
}

// The rules of all are made at once: so all leases are known, and all links, before any are.
absl::Status Networks::Begin() {
  for (const auto& [name, network] : networks_) SVNET_RETURN_IF_ERROR(network->Adopt());
  for (const auto& [name, network] : networks_) network->Prepare();
  for (const auto& [name, network] : networks_) SVNET_RETURN_IF_ERROR(network->Begin());
  // All aliases are known now.
  ReportTextsLeft(texts_.DeleteUnnamed());
  return absl::OkStatus();
}

absl::Status Networks::CatchUp(HostEvents events, std::optional<absl::Time>* next) {
  events.rules_heard = rules_.NoteChanges().ok();
  absl::Status caught_up = absl::OkStatus();
  for (const auto& [name, network] : networks_) {
    caught_up.Update(network->CatchUp(events));
    *next = Earlier(*next, network->NextDue());
  }
  if (rules_.TakeForeignChange()) host_.NoteForeignChange();
  return caught_up;
}

void Networks::DeleteOldTexts() {
  if (texts_.size() == 0) return;
  std::set<std::string> named;
  for (const auto& [name, network] : networks_) {
    for (const auto& [digest, count] : network->leases().texts()) named.insert(digest);
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
  for (const auto& [name, network] : networks_) names.push_back(name);
  return names;
}

Network* Networks::FindWith(const LeaseKey& key) const {
  for (const auto& [name, network] : networks_) {
    if (network->leases().Find(key) != nullptr) return network.get();
  }
  return nullptr;
}

std::vector<Network*> Networks::Select(const std::optional<NetworkName>& name) const {
  std::vector<Network*> selected;
  for (const auto& [each, network] : networks_) {
    if (name.value_or(each) == each) selected.push_back(network.get());
  }
  return selected;
}

std::vector<const LeaseTable*> Networks::Leases(const std::optional<NetworkName>& name) const {
  std::vector<const LeaseTable*> leases;
  for (const auto& [each, network] : networks_) {
    if (name.value_or(each) == each) leases.push_back(&network->leases());
  }
  return leases;
}

size_t Networks::lease_count() const {
  size_t count = 0;
  for (const auto& [name, network] : networks_) count += network->leases().size();
  return count;
}

absl::StatusOr<std::vector<Condition>> Networks::FindConditions() {
  std::vector<Condition> all;
  for (const auto& [name, network] : networks_) {
    SVNET_ASSIGN_OR_RETURN(const std::vector<Condition> conditions, network->FindConditions());
    all.insert(all.end(), conditions.begin(), conditions.end());
  }
  return all;
}

bool Networks::AreHeard() const {
  return std::all_of(networks_.begin(), networks_.end(),
                     [](const auto& each) { return each.second->monitor_ok(); });
}

std::optional<absl::Time> Networks::NextReap() const {
  std::optional<absl::Time> next;
  for (const auto& [name, network] : networks_) next = Earlier(next, network->NextReap());
  return next;
}

bool Networks::IsReaping() const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [](const auto& each) { return each.second->IsReaping(); });
}

ReapPiece Networks::TakeReapPiece() {
  Network* first = nullptr;
  for (const auto& [name, network] : networks_) {
    const std::optional<absl::Time> due = network->NextReap();
    if (!due.has_value()) continue;
    if (first == nullptr || *due < *first->NextReap()) first = network.get();
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
  for (const auto& [name, network] : networks_) holdings += network->HoldingsOf(owner);
  return holdings;
}

HealthOfNetworks Networks::Health() const {
  HealthOfNetworks health;
  for (const auto& [name, network] : networks_) health.emplace(name, network->Health());
  return health;
}

}  // namespace svnet
