#include "daemon/network/tap_reaper.h"

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
  bool gone = false;
  absl::Status retired = parts_.infrastructure->Disconnect(lease);
  if (retired.ok()) retired = MoveToRetiredGroup(tap, &gone);
  if (!retired.ok()) {
    // Nothing is given back to a guest that is cut off for good.
    if (!tampered) parts_.infrastructure->Reconnect(lease).IgnoreError();
    return retired;
  }
  Forget(parts_.book->Retire(tap, {.gone = gone, .counts_for_owner = tampered}, parts_.clock()),
         why);
  return absl::OkStatus();
}

absl::Status TapReaper::MoveToRetiredGroup(Ifindex tap, bool* gone) {
  const absl::Status status =
      parts_.kernel->RetireTap(tap, RetiredGroupOf(parts_.segment->plan().group));
  *gone = absl::IsNotFound(status);
  return *gone ? absl::OkStatus() : status;
}

absl::Status TapReaper::RetireTap(Ifindex tap, const RetiredTap& what) {
  RetiredTap retired = what;
  SVNET_RETURN_IF_ERROR(MoveToRetiredGroup(tap, &retired.gone));
  parts_.book->RetireUnleased(tap, retired, parts_.clock());
  return absl::OkStatus();
}

void TapReaper::EndVanished(const Lease& lease) {
  // If that fails, the rules and the segment are dirty, and are made anew.
  parts_.infrastructure->Disconnect(lease).IgnoreError();
  Forget(parts_.book->Retire(lease.state.ifindex, {.gone = true}, parts_.clock()),
         "another program has deleted the TAP");
}

void TapReaper::EndAll() {
  while (parts_.book->leases().size() > 0) {
    const Lease& lease = parts_.book->leases().all().begin()->second;
    Forget(parts_.book->Retire(lease.state.ifindex, {.gone = true}, parts_.clock()), "");
  }
  parts_.book->NoteAllGone();
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

ReapBatch TapReaper::Take() { return parts_.book->TakeReapBatch(); }

void TapReaper::Finish(const TapDestroyer::Result& result) {
  flow_failures_ = result.flows_forgotten.ok() ? 0 : flow_failures_ + 1;
  const bool give_up = flow_failures_ == 0 || flow_failures_ >= kFlowAttempts;
  const bool done = result.destroyed.ok() && give_up;
  if (!result.destroyed.ok()) {
    parts_.failures->Report(absl::StrCat("cannot destroy TAPs: ", result.destroyed.message()));
  }
  if (!result.flows_forgotten.ok()) {
    parts_.failures->Report(std::string(result.flows_forgotten.message()));
  }
  if (!done) parts_.book->DelayReap(parts_.clock() + kRetry);
  for (const auto& [ifindex, tap] : parts_.book->FinishReap(done)) {
    if (!tap.gone) parts_.segment->NoteDestroyed(ifindex);
  }
}

void TapReaper::AddConditions(std::vector<Condition>* conditions) const {
  if (flow_failures_ < kFlowAttempts) return;
  conditions->push_back(
      {.type = "FLOWS_NOT_FORGOTTEN",
       .message = "connection tracking does not let svnetd end what it knows of freed addresses: "
                  "a new guest may get an earlier one's packets",
       .remedy = "a kernel with CONFIG_NF_CT_NETLINK"});
}

}  // namespace svnet
