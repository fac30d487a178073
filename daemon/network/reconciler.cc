#include "daemon/network/reconciler.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/repair_limit.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/expiry.h"
#include "daemon/network/failure_reporter.h"
#include "daemon/network/infrastructure.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/lease_ender.h"
#include "daemon/network/link_observer.h"
#include "daemon/network/route_observer.h"
#include "daemon/network/spec_texts.h"
#include "daemon/network/tap_adopter.h"
#include "daemon/network/tap_repairer.h"

namespace svnet {
namespace {

constexpr char kNetwork[] = "the network";  // what is repaired, for the limit

constexpr absl::Duration kRetry = absl::Seconds(1);

Condition Degraded(const std::vector<std::string>& paused) {
  const auto message = [](absl::string_view what) {
    return absl::StrCat("svnetd has paused repairing ", what, " for ",
                        absl::FormatDuration(RepairLimit::kPause),
                        " because something keeps changing it back");
  };
  return {.type = "DEGRADED",
          .message = message(absl::StrJoin(paused, ", ")),
          .remedy = "find what it is: another network manager, a firewall's reload, a script",
          .for_all = message("something")};
}

}  // namespace

absl::Status Reconciler::Adopt() {
  SVNET_ASSIGN_OR_RETURN(links_at_start_, Resync());
  if (parts_.book->leases().size() == 0) {
    SVNET_RETURN_IF_ERROR(parts_.infrastructure->CheckPrefix());
  }
  for (const Link& link : links_at_start_) {
    if (!parts_.book->IsRetired(link.ifindex)) parts_.texts->NoteAlias(link.alias);
  }
  const absl::StatusOr<bool> was_left = parts_.infrastructure->WasLeft();
  was_left_ = parts_.book->leases().size() > 0 || (was_left.ok() && *was_left);
  return absl::OkStatus();
}

void Reconciler::Prepare() {
  if (was_left_) parts_.infrastructure->Prepare();
}

absl::Status Reconciler::Begin() {
  if (was_left_) {
    // A network that cannot be made whole is no reason to refuse the owners of its leases:
    // GetNetwork says what is wrong, and CreateTap why it cannot go on.
    const auto ensured = parts_.infrastructure->Ensure();
    if (!ensured.ok()) parts_.failures->Report(std::string(ensured.status().message()));
  }
  // Now that it is known which bridge they should be on.
  parts_.observer->ObserveAll(std::exchange(links_at_start_, {}));
  return parts_.adopter->ReadStaticMacs();
}

absl::StatusOr<bool> Reconciler::CatchUp(const HostEvents& events) {
  const absl::Time now = parts_.clock();
  parts_.expiry->NoteEnded(events.ended, now);
  monitor_ok_ = events.changes.ok() && events.rules_heard;
  if (!monitor_ok_) {
    parts_.failures->Report(
        "cannot hear what the kernel says of changes: everything is read again each time");
  }
  if (!events.changes.ok() || events.changes->lost) resync_ = true;
  if (events.changes.ok() && parts_.observer->Note(*events.changes)) resync_ = true;
  if (parts_.limit->EndPauses(now) || (try_again_.has_value() && *try_again_ <= now)) {
    resync_ = true;
  }
  if (resync_) {
    TryAgain();  // should it fail
    SVNET_RETURN_IF_ERROR(Resync().status());
    if (!adoption_failed_) try_again_.reset();
  }
  bool turned_forwarding_on = false;
  if (!parts_.ender->EndTampered()) TryAgain();
  Repair(&turned_forwarding_on);
  if (parts_.book->leases().size() > 0 && !parts_.infrastructure->FollowRoutes().ok()) TryAgain();
  if (!parts_.ender->EndExpired()) TryAgain();
  return turned_forwarding_on;
}

absl::StatusOr<std::vector<Link>> Reconciler::Resync() {
  adoption_failed_ = false;
  SVNET_ASSIGN_OR_RETURN(std::vector<Link> links, parts_.adopter->ReadAll(&adoption_failed_));
  resync_ = false;
  if (adoption_failed_) TryAgain();
  return links;
}

void Reconciler::TryAgain() { try_again_ = parts_.clock() + kRetry; }

// Without leases there is nothing to keep: the next CreateTap makes what it needs.
void Reconciler::Repair(bool* turned_forwarding_on) {
  if (parts_.book->leases().size() == 0) return;
  std::optional<TapEvent> network;
  if (parts_.infrastructure->IsDirty()) network = RepairNetwork(turned_forwarding_on);
  if (parts_.infrastructure->IsDirty()) return;  // one after the other
  if (parts_.book->notes().empty() && !network.has_value()) return;
  if (!parts_.repairer->RepairDirty()) TryAgain();
  // Last: a reader of this event finds the guests on the network.
  if (network.has_value()) parts_.events->Publish(*network);
}

std::optional<TapEvent> Reconciler::RepairNetwork(bool* turned_forwarding_on) {
  if (parts_.limit->IsPaused(kNetwork)) return std::nullopt;
  const Ifindex bridge = parts_.segment->gateway().ifindex;
  const auto ensured = parts_.infrastructure->Ensure();
  if (!ensured.ok()) {
    parts_.limit->Note(kNetwork, parts_.clock());
    TryAgain();
    parts_.failures->Report(std::string(ensured.status().message()));
    return std::nullopt;
  }
  if (parts_.segment->gateway().ifindex != bridge) parts_.book->MarkAllDirty();
  *turned_forwarding_on |= ensured->rules.turned_forwarding_on;
  if (ensured->repaired.empty()) return std::nullopt;
  parts_.limit->Note(kNetwork, parts_.clock());
  return TapEvent{.type = TapEvent::Type::kRepaired,
                  .lease = std::nullopt,
                  .message = ensured->repaired,
                  .repaired = ensured->repaired_things,
                  .network = settings_.name};
}

std::optional<absl::Time> Reconciler::NextDue() const {
  std::optional<absl::Time> next = try_again_;
  const absl::Time now = parts_.clock();
  for (const std::optional<absl::Time>& due : {parts_.expiry->NextDue(), parts_.limit->NextDue()}) {
    // What is over and could not be ended waits for try_again_.
    if (due.has_value() && *due > now && (!next.has_value() || *due < *next)) next = due;
  }
  return next;
}

NetworkHealth Reconciler::Health() const {
  const bool in_use = parts_.book->leases().size() > 0;
  const bool network_ok = !parts_.segment->IsDirty() && parts_.segment->IsGood() &&
                          parts_.rules->is_forwarding_clean() && parts_.routes->AreGood();
  return {.network = !in_use || network_ok,
          .firewall = !in_use || parts_.rules->are_clean(),
          .monitor = !resync_};  // all was to be read again, and could not be
}

void Reconciler::AddConditions(std::vector<Condition>* conditions) const {
  const std::vector<Condition>& left_alone = parts_.adopter->not_adopted();
  conditions->insert(conditions->end(), left_alone.begin(), left_alone.end());
  const std::vector<std::string> paused = parts_.limit->Paused();
  if (!paused.empty()) conditions->push_back(Degraded(paused));
}

}  // namespace svnet
