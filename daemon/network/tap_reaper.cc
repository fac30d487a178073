#include "daemon/network/tap_reaper.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "daemon/base/repair_limit.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/names.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/expiry.h"
#include "daemon/network/failure_reporter.h"
#include "daemon/network/infrastructure.h"
#include "daemon/network/lease_book.h"

namespace svnet {
namespace {

// How many names of retired TAPs are tried.
constexpr int kNameAttempts = 10;
// How often it is tried to end flows, before their addresses come back all the same.
constexpr int kFlowAttempts = 3;
constexpr absl::Duration kRetry = absl::Seconds(1);

}  // namespace

absl::Status TapReaper::Retire(const Lease& lease, const std::string& why) {
  const Ifindex tap = lease.state.ifindex;
  const bool tampered = parts_.book->IsTampered(tap);
  const uint32_t group = NextGroup();
  bool gone = false;
  absl::Status retired = parts_.infrastructure->Disconnect(lease);
  if (retired.ok()) retired = MoveToRetiredGroup(tap, group, &gone);
  if (!retired.ok()) {
    // Nothing is given back to a guest that is cut off for good.
    if (!tampered) parts_.infrastructure->Reconnect(lease).IgnoreError();
    return retired;
  }
  Forget(
      parts_.book->Retire(tap, {.gone = gone, .counts_for_owner = tampered, .group_number = group},
                          parts_.clock()),
      why);
  return absl::OkStatus();
}

// Rules of an earlier svnetd, which may still be in force, cut off the first group only.
uint32_t TapReaper::NextGroup() const {
  return parts_.infrastructure->WasEnsured() ? parts_.book->NextRetiredGroup() : 0;
}

absl::Status TapReaper::MoveToRetiredGroup(Ifindex tap, uint32_t number, bool* gone) {
  const absl::Status status =
      parts_.kernel->RetireTap(tap, RetiredGroupOf(parts_.segment->plan().group, number));
  *gone = absl::IsNotFound(status);
  return *gone ? absl::OkStatus() : status;
}

absl::Status TapReaper::RetireTap(Ifindex tap, const RetiredTap& what) {
  RetiredTap retired = what;
  retired.group_number = NextGroup();
  SVNET_RETURN_IF_ERROR(MoveToRetiredGroup(tap, retired.group_number, &retired.gone));
  parts_.book->RetireUnleased(tap, retired, parts_.clock());
  return absl::OkStatus();
}

void TapReaper::EndVanished(const Lease& lease) {
  // If that fails, the rules and the segment are dirty, and are made anew.
  parts_.infrastructure->Disconnect(lease).IgnoreError();
  Forget(parts_.book->Retire(lease.state.ifindex, {.gone = true}, parts_.clock()),
         "another program has deleted the TAP");
}

void TapReaper::Forget(const Lease& lease, const std::string& why) {
  parts_.expiry->Remove(lease.state.ifindex);
  parts_.limit->Forget(std::string(lease.spec.tap.text()));
  parts_.events->Publish({.type = TapEvent::Type::kRemoved, .lease = lease, .message = why});
}

absl::StatusOr<bool> TapReaper::FreeName(const LinkName& name) {
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, parts_.kernel->FindLink(name));
  if (!link.has_value()) return true;
  if (!parts_.book->IsRetired(link->ifindex)) return false;
  absl::Status status = absl::OkStatus();
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    status = parts_.kernel->RenameLink(link->ifindex, RetiredTapName(link->ifindex, attempt));
    if (!absl::IsAlreadyExists(status)) break;
  }
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  return true;
}

ReapPiece TapReaper::Take() {
  ReapPiece piece = parts_.book->TakeReapPiece();
  piece.group = RetiredGroupOf(parts_.segment->plan().group, piece.group_number);
  return piece;
}

bool TapReaper::Finish(const ReapPiece& piece, const TapDestroyer::Result& result) {
  if (!result.destroyed.ok()) {
    parts_.failures->Report(absl::StrCat("cannot destroy TAPs: ", result.destroyed.message()));
  } else {
    NoteFlows(piece, result.flows_forgotten);
  }
  why_not_reaped_ = result.destroyed;
  const ReapOutcome outcome = OutcomeOf(result);
  if (outcome != ReapOutcome::kDone) parts_.book->DelayReap(parts_.clock() + kRetry);
  const RetiredTaps taps = parts_.book->FinishReap(piece.group_number, outcome);
  if (outcome == ReapOutcome::kFailed) return false;
  for (const auto& [ifindex, tap] : taps) {
    if (!tap.gone) parts_.segment->NoteDestroyed(ifindex);
  }
  return outcome == ReapOutcome::kDone;
}

ReapOutcome TapReaper::OutcomeOf(const TapDestroyer::Result& result) const {
  if (!result.destroyed.ok()) return ReapOutcome::kFailed;
  return result.flows_forgotten.ok() || CannotForgetFlows() ? ReapOutcome::kDone
                                                            : ReapOutcome::kFlowsLeft;
}

void TapReaper::NoteFlows(const ReapPiece& piece, const absl::Status& forgotten) {
  if (forgotten.ok()) return flow_failures_.clear();
  ++flow_failures_[piece.group_number];
  parts_.failures->Report(std::string(forgotten.message()));
}

bool TapReaper::CannotForgetFlows() const {
  return std::any_of(flow_failures_.begin(), flow_failures_.end(),
                     [](const auto& each) { return each.second >= kFlowAttempts; });
}

void TapReaper::AddConditions(std::vector<Condition>* conditions) const {
  if (!CannotForgetFlows()) return;
  conditions->push_back(
      {.type = "FLOWS_NOT_FORGOTTEN",
       .message = "connection tracking does not let svnetd end what it knows of freed addresses: "
                  "a new guest may get an earlier one's packets",
       .remedy = "a kernel with CONFIG_NF_CT_NETLINK"});
}

}  // namespace svnet
