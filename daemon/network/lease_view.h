// What a caller sees of the leases of networks. Pure.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/authorizer.h"
#include "daemon/network/caller.h"
#include "daemon/network/requests.h"
#include "daemon/network/tap_event.h"

namespace svnet {

// Another owner's lease looks exactly like none, unless the caller may act for that owner.
class LeaseView {
 public:
  // All must outlive it.
  LeaseView(const Caller& caller, std::vector<const LeaseTable*> leases)
      : authorizer_(caller), leases_(std::move(leases)) {}

  // nullptr if there is none; PERMISSION_DENIED if it names an owner that the caller cannot act
  // for.
  absl::StatusOr<const Lease*> Find(const LeaseSelector& selector) const;
  // The same; TAP_NOT_FOUND if there is none.
  absl::StatusOr<const Lease*> Get(const LeaseSelector& selector) const;
  // Those that `request` asks for, whatever network it names.
  LeasePage List(const ListRequest& request) const;
  // All, as events: what WatchTaps begins with.
  std::deque<TapEvent> Snapshot() const;

 private:
  const Authorizer authorizer_;
  const std::vector<const LeaseTable*> leases_;
};

}  // namespace svnet
