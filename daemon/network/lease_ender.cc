#include "daemon/network/lease_ender.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/lease/tampering.h"
#include "daemon/network/expiry.h"
#include "daemon/network/failure_reporter.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/link_observer.h"
#include "daemon/network/tap_reaper.h"

namespace svnet {
namespace {

// How often it is asked whether a TAP without a carrier is still held.
constexpr absl::Duration kHeldRetry = absl::Seconds(5);

}  // namespace

bool LeaseEnder::EndTampered() {
  std::vector<std::pair<Ifindex, std::string>> tampered;
  for (const auto& [tap, notes] : parts_.book->notes()) {
    if (!notes.tampering.empty()) tampered.emplace_back(tap, notes.tampering);
  }
  bool all = true;
  for (const auto& [tap, what] : tampered) {
    const Lease lease = *parts_.book->leases().FindByIfindex(tap);
    const absl::Status retired = parts_.reaper->Retire(lease, ByItsHolder(what));
    if (retired.ok()) continue;
    all = false;
    parts_.failures->Report(absl::StrCat("cannot remove ", lease.spec.tap.text(), " (", what,
                                         "): ", retired.message()));
  }
  return all;
}

bool LeaseEnder::EndExpired() {
  bool all = true;
  for (const Ifindex tap : parts_.expiry->Due(parts_.clock())) {
    const Lease* found = parts_.book->leases().FindByIfindex(tap);
    if (found == nullptr) continue;
    const LinkName name = found->spec.tap;
    const absl::Status ended = ExpireUnlessHeld(*found);
    if (ended.ok()) continue;
    all = false;
    parts_.failures->Report(
        absl::StrCat("cannot end the lease of ", name.text(), ": ", ended.message()));
  }
  return all;
}

absl::Status LeaseEnder::ExpireUnlessHeld(const Lease& lease) {
  const Ifindex tap = lease.state.ifindex;
  const absl::StatusOr<std::optional<Link>> link = parts_.kernel->FindLink(tap);
  const bool exists = link.ok() && link->has_value();
  // A process may have opened it in this instant.
  if (exists && (*link)->carrier) {
    parts_.observer->ObserveAttachment(**link, lease);
    return absl::OkStatus();
  }
  UniqueFd hold;
  if (exists) {
    const absl::StatusOr<bool> held = parts_.expiry->IsHeld(lease, **link, &hold);
    // Its holder has turned the carrier off. When it lets go, nothing says so.
    if (held.ok() && *held) {
      parts_.expiry->PutOff(tap, parts_.clock() + kHeldRetry);
      return absl::OkStatus();
    }
  }
  const bool bound = std::holds_alternative<BoundToProcess>(lease.spec.lifetime);
  return parts_.reaper->Retire(lease,
                               bound ? "its process has ended" : "its VMM has let go of the TAP");
}

}  // namespace svnet
