// A network, as each of those who look after it sees it.
#pragma once

#include "daemon/foreign/blocking_chains.h"
#include "daemon/ruleset/ruleset_network.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

struct AddedNetwork {
  NetworkSettings settings;
  RulesetNetwork rules;
  GuestNetwork guests;
};

}  // namespace svnet
