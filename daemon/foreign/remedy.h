// Commands against a chain that drops guest traffic, for people to type.
#pragma once

#include <string>
#include <vector>

#include "daemon/foreign/blocking_chains.h"
#include "daemon/foreign/guest_traffic.h"

namespace svnet {

// For root. `chains` are those in which `blocking` was found. Pure.
std::string RemedyFor(const std::vector<FilterChain>& chains, const BlockingChain& blocking,
                      const GuestTraffic& guests);

}  // namespace svnet
