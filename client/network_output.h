// What svnetd answers about its networks, formatted for people as in output.h.
#pragma once

#include <string>

#include "svnet/v1/network.pb.h"

namespace svnet::client {

// All facts about a network, its settings and its problems.
std::string RenderNetwork(const v1::GetNetworkResponse& response);

}  // namespace svnet::client
