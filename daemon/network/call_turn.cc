#include "daemon/network/call_turn.h"

#include "daemon/network/network_members.h"

namespace svnet {

CallTurn::CallTurn(NetworkRegistry* registry, const Caller& caller,
                   const std::optional<NetworkName>& name)
    : CallTurn(registry, caller, name, AsksItself()) {
  if (!status_.ok()) return;
  status_ = name.has_value() ? networks().StatusOf(*name) : networks().StatusFor(caller);
}

CallTurn::CallTurn(NetworkRegistry* registry, const Caller& caller,
                   const std::optional<NetworkName>& name, AsksItself /*unused*/)
    : registry_(registry), networks_(registry->members_) {
  registry_->mutex_.lock();
  if (name.has_value()) status_ = registry_->members_->CheckMayUse(caller, *name);
  if (!status_.ok()) return;
  // Not for a call that takes nothing in.
  registry_->LeaveEventsToCalls(NetworkRegistry::kLongestCall);
  registry_->CatchUp();
  caught_up_ = true;
}

CallTurn::~CallTurn() {
  registry_->mutex_.AssertHeld();
  if (caught_up_) {
    registry_->EndTurn();
    registry_->LeaveEventsToCalls(NetworkRegistry::kIdleAfter);
  }
  registry_->mutex_.unlock();
}

}  // namespace svnet
