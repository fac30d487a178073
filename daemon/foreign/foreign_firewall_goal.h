// What other programs' firewalls are to let through.
#pragma once

#include <string>
#include <vector>

#include "daemon/base/network_name.h"
#include "daemon/foreign/blocking_chains.h"

namespace svnet {

struct ForeignFirewallGoal {
  bool manage = false;  // `manage_foreign_firewalls`
  // svnetd has turned forwarding on, and does not drop what is forwarded between other links.
  bool forwards_for_all = false;
  // The networks that exist, and those that do not.
  std::vector<GuestNetwork> up;
  std::vector<GuestNetwork> down;

  bool WantsAccepts() const { return manage && !up.empty(); }

  // That network, one of these, exists, and its guests get out through this link (empty: unknown).
  // False if that was known.
  bool BringUp(const NetworkName& name, const std::string& uplink);
  // It does not exist any more.
  void TakeDown(const NetworkName& name);
};

}  // namespace svnet
