#include "daemon/network/tap_repairer.h"

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/repair_limit.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/failure_reporter.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/tap_reaper.h"

namespace svnet {

bool TapRepairer::RepairDirty() {
  bool all = true;
  for (const auto& [tap, known] : parts_.book->TakeDirty()) all &= Repair(tap, known);
  return all;
}

// The notification may be old, so the link is read again.
bool TapRepairer::Repair(Ifindex tap, const std::string& known) {
  const Lease* lease = parts_.book->leases().FindByIfindex(tap);
  if (lease == nullptr) return true;
  const absl::StatusOr<std::optional<Link>> link = parts_.kernel->FindLink(tap);
  if (!link.ok()) return false;
  if (!link->has_value()) {
    parts_.reaper->EndVanished(*lease);
    return true;
  }
  std::string drift = parts_.segment->Compare(*lease, **link);
  // What was said of it may be over: a repair has just put it right.
  if (drift.empty() && !known.empty() && !parts_.segment->HasEntries(*lease)) drift = known;
  if (drift.empty() || !MayRepair(*lease)) return true;
  const absl::StatusOr<TapState> state = parts_.segment->Repair(*lease, **link);
  if (!state.ok()) {
    parts_.failures->Report(absl::StrCat("cannot repair ", lease->spec.tap.text(), " (", drift,
                                         "): ", state.status().message()));
    return false;
  }
  parts_.book->SetState(*state);
  parts_.events->Publish(
      {.type = TapEvent::Type::kRepaired, .lease = *lease, .message = drift, .repaired = {"tap"}});
  return true;
}

bool TapRepairer::MayRepair(const Lease& lease) {
  if (parts_.book->TakeRobbed(lease.state.ifindex)) return true;
  const std::string name(lease.spec.tap.text());
  if (parts_.limit->IsPaused(name)) return false;
  parts_.limit->Note(name, parts_.clock());
  return true;
}

}  // namespace svnet
