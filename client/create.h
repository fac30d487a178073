// Creates leases: several by one call, if svnetd can.
#pragma once

#include <vector>

#include "client/connection.h"
#include "client/failure.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// The answer to each, in that order; fewer if svnetd is gone, which the last one says.
std::vector<Result<v1::CreateTapResponse>> CreateAll(
    Connection& svnetd, const std::vector<v1::CreateTapRequest>& requests);

}  // namespace svnet::client
