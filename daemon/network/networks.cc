#include "daemon/network/networks.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/event_sink.h"

namespace svnet {

Networks::Networks(const NetworkSettings& settings, SpecStore* store, Network::Parts parts)
    : events_(parts.events), texts_(store) {
  parts.texts = &texts_;
  networks_.emplace(NetworkName(), std::make_unique<Network>(settings, parts));
}

absl::Status Networks::Begin() {
  for (const auto& [name, network] : networks_) SVNET_RETURN_IF_ERROR(network->Begin());
  // All aliases are known now.
  ReportTextsLeft(texts_.DeleteUnnamed());
  return absl::OkStatus();
}

absl::Status Networks::CatchUp(const HostEvents& events, std::optional<absl::Time>* next) {
  absl::Status caught_up = absl::OkStatus();
  for (const auto& [name, network] : networks_) {
    caught_up.Update(network->CatchUp(events));
    *next = Earlier(*next, network->NextDue());
  }
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

absl::Status Networks::DisownRules() {
  for (const auto& [name, network] : networks_) SVNET_RETURN_IF_ERROR(network->DisownRules());
  return absl::OkStatus();
}

std::vector<NetworkName> Networks::Names() const {
  std::vector<NetworkName> names;
  for (const auto& [name, network] : networks_) names.push_back(name);
  return names;
}

Holdings Networks::HoldingsOf(uid_t owner) const {
  Holdings holdings;
  for (const auto& [name, network] : networks_) holdings += network->HoldingsOf(owner);
  return holdings;
}

NetworkHealth Networks::Health() const {
  NetworkHealth health;
  for (const auto& [name, network] : networks_) health &= network->Health();
  return health;
}

}  // namespace svnet
