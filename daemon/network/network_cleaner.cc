#include "daemon/network/network_cleaner.h"

#include <optional>

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

absl::StatusOr<std::vector<Ifindex>> NetworkCleaner::AllTaps() {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Link> links, parts_.reconciler->Resync());
  std::vector<Ifindex> taps;
  for (const Link& link : links) {
    const bool ours = IsOurTap(link, parts_.segment->plan());
    if (ours && !parts_.book->IsRetired(link.ifindex)) taps.push_back(link.ifindex);
  }
  return taps;
}

absl::StatusOr<bool> NetworkCleaner::Retire(Ifindex tap) {
  if (const Lease* lease = parts_.book->leases().FindByIfindex(tap)) {
    SVNET_RETURN_IF_ERROR(parts_.reaper->Retire(*lease, ""));
  } else {
    SVNET_ASSIGN_OR_RETURN(const bool was_left, IsNotAdopted(tap));
    if (!was_left) return false;
    SVNET_RETURN_IF_ERROR(parts_.reaper->RetireTap(tap, {}));
  }
  return true;
}

absl::StatusOr<bool> NetworkCleaner::IsNotAdopted(Ifindex tap) {
  if (parts_.book->IsRetired(tap)) return false;
  SVNET_ASSIGN_OR_RETURN(const std::optional<Link> link, parts_.kernel->FindLink(tap));
  return link.has_value() && IsOurTap(*link, parts_.segment->plan());
}

absl::StatusOr<CleanupResult> NetworkCleaner::TakeAway() {
  SVNET_ASSIGN_OR_RETURN(const Infrastructure::Released released, parts_.infrastructure->Release());
  if (released.forwarding_off) parts_.host->NoteForwardingOff();
  const absl::Status withdrawn = parts_.host->ReportDown(parts_.segment->plan().network);
  if (!withdrawn.ok()) {
    return WithReason(Reason::kBridgeSetupFailed,
                      "all is removed except svnetd's accepts in other packet filters (it is tried "
                      "again)",
                      withdrawn);
  }
  return CleanupResult{.bridge_removed = released.bridge_removed,
                       .nat_removed = released.nat_removed};
}

}  // namespace svnet
