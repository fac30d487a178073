// A call's turn at the networks.
#pragma once

#include <sys/types.h>

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "daemon/base/network_name.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_registry.h"

namespace svnet {

class NetworkMembers;

// As long as it lives nobody else has one. It takes in first what has happened on the host, and at
// its end others are told what the call has changed. Nothing else may be used unless status is OK.
class ABSL_SCOPED_LOCKABLE CallTurn {
 public:
  // For a call about that network, or, nullopt, about all that the caller may use.
  CallTurn(NetworkRegistry* registry, const Caller& caller, const std::optional<NetworkName>& name)
      ABSL_EXCLUSIVE_LOCK_FUNCTION(registry->mutex_);
  // For a call that asks NetworkMembers::StatusOf itself: one about that network, or, without a
  // name, about a lease.
  struct AsksItself {};
  CallTurn(NetworkRegistry* registry, const Caller& caller, const std::optional<NetworkName>& name,
           AsksItself /*unused*/) ABSL_EXCLUSIVE_LOCK_FUNCTION(registry->mutex_);
  ~CallTurn() ABSL_UNLOCK_FUNCTION();
  CallTurn(const CallTurn&) = delete;
  CallTurn& operator=(const CallTurn&) = delete;

  // NETWORK_NOT_FOUND if there is none of that name, otherwise as NetworkMembers::StatusOf or
  // StatusFor.
  const absl::Status& status() const { return status_; }

  NetworkMembers& networks() const { return *networks_; }

 private:
  NetworkRegistry* const registry_;
  NetworkMembers* const networks_;  // the lock that guards them is held
  absl::Status status_;
  bool caught_up_ = false;
};

}  // namespace svnet
