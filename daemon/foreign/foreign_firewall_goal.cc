#include "daemon/foreign/foreign_firewall_goal.h"

#include <algorithm>
#include <utility>

namespace svnet {
namespace {

std::vector<GuestNetwork>::iterator FindNamed(const NetworkName& name,
                                              std::vector<GuestNetwork>* networks) {
  return std::find_if(networks->begin(), networks->end(),
                      [&](const GuestNetwork& each) { return each.name == name; });
}

// Keeps the order by name, in which rules are placed. False if it is not in `from`.
bool Move(const NetworkName& name, std::vector<GuestNetwork>* from, std::vector<GuestNetwork>* to) {
  const auto network = FindNamed(name, from);
  if (network == from->end()) return false;
  const auto place = std::find_if(to->begin(), to->end(),
                                  [&](const GuestNetwork& each) { return name < each.name; });
  to->insert(place, std::move(*network));
  from->erase(network);
  return true;
}

}  // namespace

bool ForeignFirewallGoal::BringUp(const NetworkName& name, const std::string& uplink) {
  const bool is_new = Move(name, &down, &up);
  GuestNetwork& network = *FindNamed(name, &up);
  return std::exchange(network.uplink, uplink) != uplink || is_new;
}

void ForeignFirewallGoal::TakeDown(const NetworkName& name) { Move(name, &up, &down); }

}  // namespace svnet
