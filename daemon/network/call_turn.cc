#include "daemon/network/call_turn.h"

#include "daemon/network/authorizer.h"
#include "daemon/network/networks.h"

namespace svnet {
namespace {

bool MayUse(const Caller& caller, const Networks& networks, const NetworkName& name) {
  return networks.Has(name) && Authorizer(caller).MayUse(networks.Get(name).settings());
}

}  // namespace

CallTurn::CallTurn(NetworkRegistry* registry, const Caller& caller,
                   const std::optional<NetworkName>& name)
    : registry_(registry) {
  registry_->mutex_.lock();
  if (name.has_value() && !MayUse(caller, *registry_->networks_, *name)) {
    status_ = NetworkNotFound(*name);
    return;
  }
  // From here on, and not for a call that takes nothing in, events are left to calls for a moment.
  registry_->last_call_ = absl::ToUnixNanos(registry_->parts_.clock());
  status_ = registry_->CatchUp();
}

CallTurn::~CallTurn() {
  registry_->mutex_.AssertHeld();
  if (status_.ok()) registry_->EndTurn();
  registry_->mutex_.unlock();
}

Networks& CallTurn::networks() const {
  registry_->mutex_.AssertHeld();
  return *registry_->networks_;
}

}  // namespace svnet
