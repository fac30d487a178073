#include "daemon/network/network_cleaner.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/adoption.h"
#include "daemon/network/host_relations.h"
#include "daemon/network/infrastructure.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/reconciler.h"
#include "daemon/network/tap_adopter.h"
#include "daemon/network/tap_reaper.h"

namespace svnet {

absl::StatusOr<std::vector<Ifindex>> NetworkCleaner::TapsOf(uid_t owner) {
  std::vector<Ifindex> taps;
  // All links of the host are read only if there may be TAPs that are not leases: reading them
  // takes time from all callers, and a caller without TAPs may clean up again and again.
  if (parts_.adopter->not_adopted().empty()) {
    if (parts_.book->leases().HoldingsOf(owner).taps == 0) return taps;
    for (const auto& [name, lease] : parts_.book->leases().all()) {
      if (lease.spec.key.owner == owner) taps.push_back(lease.state.ifindex);
    }
    return taps;
  }
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, parts_.reconciler->Resync());
  for (const Link& link : links) {
    if (!IsOurTap(link, parts_.segment->plan()) || OwnerOf(link) != owner) continue;
    if (!parts_.book->IsRetired(link.ifindex)) taps.push_back(link.ifindex);
  }
  return taps;
}

absl::StatusOr<CleanupResult> NetworkCleaner::CleanupOf(uid_t owner) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Ifindex> taps, TapsOf(owner));
  SVNET_ASSIGN_OR_RETURN(const uint32_t removed, Retire(taps));
  return CleanupResult{.taps_removed = removed};
}

absl::StatusOr<uint32_t> NetworkCleaner::RetireAll() {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, parts_.reconciler->Resync());
  std::vector<Ifindex> taps;
  for (const Link& link : links) {
    const bool ours = IsOurTap(link, parts_.segment->plan());
    if (ours && !parts_.book->IsRetired(link.ifindex)) taps.push_back(link.ifindex);
  }
  return Retire(taps);
}

absl::StatusOr<uint32_t> NetworkCleaner::Retire(const std::vector<Ifindex>& taps) {
  uint32_t removed = 0;
  absl::Status status = absl::OkStatus();
  for (const Ifindex tap : taps) {
    // One that was not adopted is not a lease, and goes all the same.
    const Lease* lease = parts_.book->leases().FindByIfindex(tap);
    status =
        lease != nullptr ? parts_.reaper->Retire(*lease, "") : parts_.reaper->RetireTap(tap, {});
    if (!status.ok()) break;
    ++removed;
  }
  if (removed > 0) parts_.book->FlushReap();  // there are no more to come
  if (status.ok()) return removed;
  return WithReason(Reason::kBridgeSetupFailed,
                    absl::StrCat("removed ", removed, " TAPs, then could not go on (repeat it)"),
                    status);
}

absl::StatusOr<CleanupResult> NetworkCleaner::TakeAway(uint32_t taps_removed) {
  SVNET_ASSIGN_OR_RETURN(const Infrastructure::Released released, parts_.infrastructure->Release());
  if (released.forwarding_off) parts_.host->NoteForwardingOff();
  const absl::Status withdrawn = parts_.host->ReportDown(parts_.segment->plan().network);
  if (!withdrawn.ok()) {
    return WithReason(Reason::kBridgeSetupFailed,
                      "all is removed except svnetd's accepts in other packet filters (it is tried "
                      "again)",
                      withdrawn);
  }
  return CleanupResult{.taps_removed = taps_removed,
                       .bridge_removed = released.bridge_removed,
                       .nat_removed = released.nat_removed};
}

}  // namespace svnet
