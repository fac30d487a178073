#include "daemon/network/networks.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/event_sink.h"

namespace svnet {

Networks::Networks(const NetworkSettings& settings, const Parts& parts)
    : events_(parts.events),
      texts_(parts.store),
      host_(parts.foreign, parts.events),
      rules_(parts.kernel, parts.firewall) {
  networks_.emplace(settings.name, std::make_unique<Network>(
                                       settings, Network::Parts{.kernel = parts.kernel,
                                                                .rules = &rules_,
                                                                .host = &host_,
                                                                .texts = &texts_,
                                                                .poller = parts.poller,
                                                                .events = parts.events,
                                                                .clock = parts.clock,
                                                                .wall_clock = parts.wall_clock}));
}

absl::Status Networks::Begin() {
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
