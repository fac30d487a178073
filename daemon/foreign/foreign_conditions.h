// What svnetd says about other programs' firewalls. Pure.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "daemon/base/condition.h"
#include "daemon/foreign/blocking_chains.h"
#include "daemon/foreign/filter_chain.h"

namespace svnet {

struct ForeignFirewallState {
  const std::vector<FilterChain>& chains;
  std::vector<GuestNetwork> networks;
  // iptables-legacy has rules that svnetd cannot read.
  bool iptables_legacy_is_hidden = false;
  // svnetd has turned forwarding on, and does not drop what is forwarded between other links.
  bool forwards_for_all = false;
  // `manage_foreign_firewalls`, and how that goes: the last failure, or whether rules are still
  // to be added.
  bool manage = false;
  absl::Status failure;
  bool accepts_are_pending = false;
};

// FOREIGN_FIREWALL for each chain that drops guest traffic of a network, and FORWARDING_FOR_ALL.
std::vector<Condition> ForeignFirewallConditions(const ForeignFirewallState& state);

}  // namespace svnet
