// What svnetctl's commands do: send one request (`list`: as many as there are
// pages) and show the answer.
#pragma once

#include <variant>

#include "client/connection.h"
#include "client/failure.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// A command with its arguments: each has its own request.
using Request = std::variant<v1::CreateTapRequest, v1::RemoveTapRequest, v1::ListTapsRequest,
                             v1::GetBootArgsRequest, v1::CleanupRequest, v1::GetNetworkRequest>;

Outcome RunCommand(Connection& svnetd, const Request& request, Format format);

Outcome Create(Connection& svnetd, const v1::CreateTapRequest& request, Format format);
Outcome Remove(Connection& svnetd, const v1::RemoveTapRequest& request, Format format);
// Shows all pages as one.
Outcome List(Connection& svnetd, const v1::ListTapsRequest& request, Format format);
Outcome BootArgs(Connection& svnetd, const v1::GetBootArgsRequest& request, Format format);
Outcome Cleanup(Connection& svnetd, const v1::CleanupRequest& request, Format format);
Outcome Status(Connection& svnetd, const v1::GetNetworkRequest& request, Format format);

}  // namespace svnet::client
