// What svnetd answers about its networks, formatted for people as in output.h.
#pragma once

#include <string>

#include "svnet/v1/network.pb.h"

namespace svnet::client {

// A heading and a line for each network.
std::string RenderNetworks(const v1::ListNetworksResponse& response);

// All columns, and the problems by their types.
std::string RenderNetworksWide(const v1::ListNetworksResponse& response);

// The names, a line each.
std::string RenderNetworkNames(const v1::ListNetworksResponse& response);

// All facts about a network, its settings and its problems. If there are others among `all`: also
// which, and their problems, except those that this one has too.
std::string RenderNetwork(const v1::GetNetworkResponse& response,
                          const v1::ListNetworksResponse& all = {});

}  // namespace svnet::client
