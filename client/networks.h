// `svnetctl networks` and `svnetctl status`.
#pragma once

#include "client/connection.h"
#include "client/failure.h"
#include "client/list.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

struct ListNetworks {
  ListFormat format = ListFormat::kTable;
};

// The networks that the caller may use.
Outcome Networks(Connection& svnetd, const ListNetworks& list);

// One network. To people also which others there are, and what is wrong with those.
Outcome Status(Connection& svnetd, const v1::GetNetworkRequest& request, Format format);

}  // namespace svnet::client
