// What a caller may do, and what it may be told. Pure.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/condition.h"
#include "daemon/base/setting.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/caller.h"
#include "daemon/network/requests.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

// NETWORK_NOT_FOUND: the same for a network that is not there and for one that may not be used.
absl::Status NetworkNotFound(const NetworkName& name);

// The only place of these rules. Refusals have a reason of the contract.
class Authorizer {
 public:
  // `caller` must outlive it.
  explicit Authorizer(const Caller& caller) : caller_(caller) {}

  // Whether the caller may use a network. To others it looks like none.
  bool MayUse(const NetworkSettings& network) const;
  // Whether the caller may see and change the leases of that owner.
  bool CanActFor(uid_t owner) const;
  // The key that the ids mean; PERMISSION_DENIED if the caller cannot act for that owner.
  absl::StatusOr<LeaseKey> KeyFor(const LeaseIds& ids) const;
  // PERMISSION_DENIED if the caller may not give a TAP to that group.
  absl::Status CheckGroup(const std::optional<gid_t>& group) const;
  // QUOTA_EXCEEDED if the caller may not create another lease, with that many queues, for an owner
  // that has `held`.
  absl::Status CheckQuota(uid_t owner, const Holdings& held, int queues) const;
  // PERMISSION_DENIED unless the caller may clean up the whole network.
  absl::Status CheckNetworkCleanup() const;
  // What the caller may be told of `conditions`.
  std::vector<Condition> Filter(const std::vector<Condition>& conditions) const;
  // Those of `settings` that the caller may see.
  std::vector<Setting> Filter(std::vector<Setting> settings) const;

 private:
  const Caller& caller_;
};

}  // namespace svnet
