#include "daemon/network/networks.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/network.h"

namespace svnet {

Networks::Networks(const std::vector<NetworkSettings>& settings, const Parts& parts)
    : parts_(parts),
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
  return members_.Insert(std::move(network), parts_.events, parts_.clock);
}

absl::Status Networks::Add(const std::vector<AddedNetwork>& networks) {
  std::vector<Ipv4Prefix> prefixes;
  for (const Network* each : members_.Select(std::nullopt)) {
    prefixes.push_back(each->settings().prefix);
  }
  for (const AddedNetwork& each : networks) prefixes.push_back(each.settings.prefix);
  SVNET_RETURN_IF_ERROR(parts_.kernel->WatchRoutesOf(prefixes));
  std::vector<NetworkMember*> members;
  for (const AddedNetwork& each : networks) {
    parts_.firewall->AddNetwork(each.rules);
    parts_.foreign->AddNetwork(each.guests);
    members.push_back(Insert(each.settings));
  }
  Start(members);
  return absl::OkStatus();
}

absl::Status Networks::Begin() {
  SVNET_RETURN_IF_ERROR(CheckLeft());
  const std::vector<NetworkMember*> members = members_.All();
  Start(members);
  const bool one_started = std::any_of(members.begin(), members.end(),
                                       [](const NetworkMember* each) { return each->started(); });
  return one_started ? absl::OkStatus() : members.front()->status();
}

// One network that refused to start would lose its guests' rules as soon as those of the others are
// made.
absl::Status Networks::CheckLeft() {
  const absl::StatusOr<std::vector<Link>> links = parts_.kernel->ListLinks();
  if (!links.ok()) {
    return WithReason(Reason::kBridgeSetupFailed, "cannot read the host's links", links.status());
  }
  for (const NetworkMember* each : members_.All()) {
    SVNET_RETURN_IF_ERROR(each->network().CheckLeft(*links));
  }
  return absl::OkStatus();
}

// The rules of all are made at once: so all leases are known, and all links, before any are.
void Networks::Start(const std::vector<NetworkMember*>& members) {
  for (NetworkMember* each : members) each->Adopt();
  for (NetworkMember* each : members) each->Prepare();
  for (NetworkMember* each : members) each->Begin();
  // All aliases are known now.
  if (members_.AllStarted()) ReportTextsLeft(texts_.DeleteUnnamed());
}

void Networks::CatchUp(HostEvents events, std::optional<absl::Time>* next) {
  events.rules_heard = rules_.NoteChanges().ok();
  for (NetworkMember* each : members_.All()) {
    if (each->IsDue()) Start({each});
    each->CatchUp(events);
    *next = Earlier(*next, each->NextDue());
  }
  if (rules_.TakeForeignChange()) host_.NoteForeignChange();
}

void Networks::DeleteOldTexts() {
  if (texts_.size() == 0 || !members_.AllStarted()) return;
  std::set<std::string> named;
  for (const LeaseTable* leases : members_.Leases(std::nullopt)) {
    for (const auto& [digest, count] : leases->texts()) named.insert(digest);
  }
  if (named.size() < texts_.size()) ReportTextsLeft(texts_.DeleteAllBut(named));
}

void Networks::ReportTextsLeft(const absl::Status& deleted) {
  if (deleted.ok()) return;
  parts_.events->Publish(
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

}  // namespace svnet
