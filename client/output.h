// The daemon's answers, formatted for people. All pure; every text ends with a newline, and holds
// nothing that would move a terminal's cursor.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

std::string RenderCreated(const v1::CreateTapResponse& response);

// All facts about a lease, one per line.
std::string RenderTap(const v1::Tap& tap);

std::string RenderRemoved(const v1::RemoveTapResponse& response);

// A heading and a line for each TAP.
std::string RenderTaps(const v1::ListTapsResponse& response);

// Only the text, for $(svnetctl boot-args vm1).
std::string RenderBootArgs(const v1::GetBootArgsResponse& response);

std::string RenderCleanup(const v1::CleanupResponse& response);

// One line: the time (RFC 3339), the event, and the lease.
std::string RenderEvent(const v1::TapEvent& event, absl::Time when);

// As svnetd has it.
std::string RenderMetrics(const v1::GetMetricsResponse& response);

std::string RenderNetwork(const v1::GetNetworkResponse& response);

}  // namespace svnet::client
