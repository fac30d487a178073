// Answers of the daemon, as people read them. All pure; every text ends with a
// newline, and holds nothing that would move a terminal's cursor.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

std::string RenderCreated(const v1::CreateTapResponse& response);

// All that there is to know of a lease, a line each.
std::string RenderTap(const v1::Tap& tap);

std::string RenderRemoved(const v1::RemoveTapResponse& response);

// A heading and a line for each TAP.
std::string RenderTaps(const v1::ListTapsResponse& response);

// The text and nothing else, for $(svnetctl boot-args vm1).
std::string RenderBootArgs(const v1::GetBootArgsResponse& response);

std::string RenderCleanup(const v1::CleanupResponse& response);

// A line: the time as RFC 3339 has it, what happened, and the lease.
std::string RenderEvent(const v1::TapEvent& event, absl::Time when);

// As svnetd has it.
std::string RenderMetrics(const v1::GetMetricsResponse& response);

std::string RenderNetwork(const v1::GetNetworkResponse& response);

}  // namespace svnet::client
